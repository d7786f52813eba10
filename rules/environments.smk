# Virtual environments from locks, and the locks themselves.


def environment_inputs(wildcards):
    """The interpreter, and the wheels built here that a run environment holds."""
    _, planned = layers(wildcards)
    spec = planned.environment_of(wildcards.name, wildcards.key)

    def stamps():
        if spec.python:
            return []  # an ordinary one, which is there
        wheels = [ARTIFACTS.stamp(WHEELS.wheel(w.repo, w.variant)) for w in spec.wheels]
        of_vllm = "vllm" in BUILDABLE.repos and spec.variant in CONFIG.configured_variants()
        checked = [WHEELS.requirements_stamp(spec.variant)] if of_vllm else []
        worked = [w.repo for w in spec.wheels if w.repo in CONFIG.work]
        sources = [ARTIFACTS.stamp(SOURCES.source(repo)) for repo in worked]
        return [SOURCES.interpreter_stamp(), *checked, *wheels, *sources]

    return needs(spec, stamps)


rule requirements:
    input:
        lambda _: ancient(ARTIFACTS.stamp(SOURCES.source("vllm"))),
    output:
        LAYOUT.stamp("requirements", "{variant}", "{key}"),
    params:
        tree=lambda _: LAYOUT.source("vllm", SOURCES.source("vllm").key) / "tree",
        folder=PROJECT / "envs",
        variant="{variant}",
        python_version=CONFIG.interpreter.version,
        built=lambda w: WHEELS.built_versions(w.variant),
        left_out=lambda _: dict(BUILDABLE.left_out),
    log:
        LAYOUT.root / "logs/requirements/{variant}/{key}.log",
    script:
        "../scripts/requirements.py"


rule environment:
    input:
        environment_inputs,
    output:
        LAYOUT.stamp("environment", "{name}", "{key}"),
    params:
        spec=lambda w: LAYOUT.spec("environment", w.name, w.key),
        left_out=lambda _: dict(BUILDABLE.left_out),
        editable=lambda _: WHEELS.editable(),
    log:
        LAYOUT.root / "logs/environment/{name}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/environment/{name}/{key}.tsv"
    script:
        "../scripts/environment.py"


for variant in CONFIG.configured_variants():

    rule:
        """
        Make the run environment of a variant and print the line that activates it.
        """
        name:
            f"env_{variant}"
        input:
            lambda _, variant=variant: ancient(ARTIFACTS.stamp(WHEELS.run_environment(variant))),
        params:
            variant=variant,
            name=f"run-{variant}",
            key=lambda _, variant=variant: WHEELS.run_environment(variant).key,
        log:
            LAYOUT.root / f"logs/env_{variant}.log",
        script:
            "../scripts/environment_view.py"


def pinned_specs(_):
    """The pinned sources that have requirements of their own."""
    return [ARTIFACTS.spec_file(SOURCES.pinned_source(repo)) for repo in SOURCES.with_facts()]


def pinned_identities(_):
    """Which sources these are, under both origins."""
    return [SOURCES.identity(repo).model_dump() for repo in SOURCES.with_facts()]


# Locks are committed files: as outputs they would be made again whenever git touches them, so
# this rule declares none and is run on purpose.
rule locks:
    """
    Compile envs/*.lock for the free-threaded interpreter, from envs/*.in and from what vLLM's pinned
    source asks for, which is written to envs/vllm.source.json.
    """
    input:
        lambda _: ancient(SOURCES.interpreter_stamp()),
        pins=lambda _: [pin_stamp(repo) for repo in SOURCES.with_facts()],
    params:
        folder=PROJECT / "envs",
        specs=pinned_specs,
        identities=pinned_identities,
        upgrade=False,
    log:
        LAYOUT.root / "logs/locks.log",
    script:
        "../scripts/locks.py"


rule upgrade_locks:
    """
    Compile envs/*.lock anew, with the newest versions that fit.
    """
    input:
        lambda _: ancient(SOURCES.interpreter_stamp()),
        pins=lambda _: [pin_stamp(repo) for repo in SOURCES.with_facts()],
    params:
        folder=PROJECT / "envs",
        specs=pinned_specs,
        identities=pinned_identities,
        upgrade=True,
    log:
        LAYOUT.root / "logs/upgrade_locks.log",
    script:
        "../scripts/locks.py"
