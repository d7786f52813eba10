# Wheels, and the wheelhouse that shows the current ones.


def wheel_stamps(variant):
    """The stamps of all wheels that a variant's environment holds."""
    return [
        ancient(PLAN.stamp(PLAN.wheel(repo, PLAN.variant_of(repo, variant))))
        for repo in PLAN.wheel_repos()
    ]


def wheel_inputs(wildcards):
    """The patched source, the sources and crates that the build uses, and its environment."""
    spec = PLAN.wheel(wildcards.repo, wildcards.variant)
    sources = [PLAN.source(wildcards.repo), *(PLAN.source(need) for need in spec.needs)]
    crates = PLAN.crates(wildcards.repo)
    environment = PLAN.build_environment(spec.environment_name)
    needed = [*sources, *([crates] if crates else []), environment]
    return needs(spec, lambda: map(PLAN.stamp, needed))


def wheel_kernels(wildcards):
    """The look into the wheel whose kernels a build takes; none for one that compiles them."""
    spec = PLAN.wheel(wildcards.repo, wildcards.variant)
    return needs(spec, lambda: [PLAN.kernels_stamp(wildcards.variant)] if spec.kernels else [])


rule kernel_wheel:
    output:
        LAYOUT.stamp("kernel-wheel", "{variant}", "{key}"),
    params:
        pin=lambda w: PLAN.config.borrowed(w.variant).model_dump(),
    log:
        LAYOUT.root / "logs/kernel-wheel/{variant}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/kernel-wheel/{variant}/{key}.tsv"
    script:
        "../scripts/kernel_wheel.py"


rule kernels:
    input:
        wheel=lambda w: ancient(PLAN.kernel_wheel_stamp(w.variant)),
        environment=lambda w: ancient(PLAN.stamp(PLAN.build_environment(f"build-{w.variant}"))),
    output:
        LAYOUT.stamp("kernels", "{variant}", "{key}"),
    params:
        pin=lambda w: PLAN.config.borrowed(w.variant).model_dump(),
        asked=lambda w: PLAN.asked(w.variant),
    log:
        LAYOUT.root / "logs/kernels/{variant}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/kernels/{variant}/{key}.tsv"
    script:
        "../scripts/kernels.py"


rule wheel:
    input:
        wheel_inputs,
        kernels=wheel_kernels,
    output:
        LAYOUT.stamp("wheel", "{variant}/{repo}", "{key}"),
    params:
        spec=lambda w: LAYOUT.spec("wheel", f"{w.variant}/{w.repo}", w.key),
        cores=workflow.cores,
    # the job server shares the cores; the longest build begins first
    threads: 1
    priority: lambda w: int(PLAN.recipe(w.repo).heavy)
    log:
        LAYOUT.root / "logs/wheel/{variant}/{repo}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/wheel/{variant}/{repo}/{key}.tsv"
    script:
        "../scripts/wheel.py"


rule wheelhouse_view:
    input:
        wheels=lambda w: wheel_stamps(w.variant),
    output:
        LAYOUT.wheelhouse("{variant}") / "wheelhouse.json",
    params:
        key=lambda w: PLAN.wheelhouse_key(w.variant),
    log:
        LAYOUT.root / "logs/wheelhouse/{variant}.log",
    benchmark:
        LAYOUT.root / "benchmarks/wheelhouse/{variant}.tsv"
    script:
        "../scripts/wheelhouse_view.py"
