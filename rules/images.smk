# Container images: of run environments, and of the workflow itself.


rule image:
    input:
        lambda w: needs(
            IMAGES.image(w.variant),
            lambda: [ARTIFACTS.stamp(WHEELS.run_environment(w.variant))],
        ),
    output:
        LAYOUT.stamp("image", "{variant}", "{key}"),
    params:
        spec=lambda w: LAYOUT.spec("image", w.variant, w.key),
    threads: 4
    log:
        LAYOUT.root / "logs/image/{variant}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/image/{variant}/{key}.tsv"
    script:
        "../scripts/image.py"


for variant in CONFIG.configured_variants():

    rule:
        """
        Make a container image of a variant's run environment, and print the line that loads it.
        """
        name:
            f"image_{variant}"
        input:
            lambda _, variant=variant: ancient(ARTIFACTS.stamp(IMAGES.image(variant))),
        params:
            variant=variant,
            key=lambda _, variant=variant: IMAGES.image(variant).key,
        log:
            LAYOUT.root / f"logs/image_{variant}.log",
        script:
            "../scripts/image_view.py"


rule workflow_image:
    output:
        LAYOUT.stamp("image", "workflow", "{key}"),
    params:
        spec=lambda w: LAYOUT.spec("image", "workflow", w.key),
        project=PROJECT,
    log:
        LAYOUT.root / "logs/image/workflow/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/image/workflow/{key}.tsv"
    script:
        "../scripts/workflow_image.py"


rule image_workflow:
    """
    Make the container image that holds this workflow, for clusters, and print the line that loads it.
    """
    input:
        lambda _: ancient(ARTIFACTS.stamp(IMAGES.workflow())),
    params:
        variant="workflow",
        key=lambda _: IMAGES.workflow().key,
    log:
        LAYOUT.root / "logs/image_workflow.log",
    script:
        "../scripts/image_view.py"


# a committed file, as all locks: see there
rule image_lock:
    """
    Pin the Debian packages that images begin with, as the mirror has them: envs/image*.lock.json.
    """
    params:
        folder=PROJECT / "envs",
    log:
        LAYOUT.root / "logs/image_lock.log",
    script:
        "../scripts/image_lock.py"
