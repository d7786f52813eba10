# Wheels, and the wheelhouse that shows the current ones.


def wheel_stamps(variant):
    """The stamps of all wheels that a variant's environment holds."""
    return [
        ancient(ARTIFACTS.stamp(WHEELS.wheel(wheel.repo, wheel.variant)))
        for wheel in WHEELS.run_environment(variant).wheels
    ]


def wheel_inputs(wildcards):
    """The patched source, the sources and crates that the build uses, and its environment."""
    origin, planned = layers(wildcards)
    spec = planned.wheel(wildcards.repo, wildcards.variant)
    sources = [origin.source(wildcards.repo), *(origin.source(need) for need in spec.needs)]
    crates = origin.crates(wildcards.repo)
    environment = planned.build_environment(spec.environment_name)
    needed = [*sources, *([crates] if crates else []), environment]
    stamps = lambda: [*map(ARTIFACTS.stamp, needed), *facts_stamps(wildcards.repo)]
    return needs(spec, stamps)


def wheel_kernels(wildcards):
    """The look into the wheel whose kernels a build takes; none for one that compiles them."""
    _, planned = layers(wildcards)
    spec = planned.wheel(wildcards.repo, wildcards.variant)
    return needs(spec, lambda: [WHEELS.kernels_stamp(wildcards.variant)] if spec.kernels else [])


def finished_wheel(wildcards):
    """The wheel that is repacked; none for one that is built."""
    spec = WHEELS.wheel(wildcards.repo, wildcards.variant)
    repacks = SOURCES.recipe(wildcards.repo).repacks
    return needs(spec, lambda: [pin_stamp(wildcards.repo)] if repacks else [])


rule kernel_wheel:
    output:
        LAYOUT.stamp("kernel-wheel", "{variant}", "{key}"),
    params:
        pin=lambda w: CONFIG.borrowed(w.variant).model_dump(),
    log:
        LAYOUT.root / "logs/kernel-wheel/{variant}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/kernel-wheel/{variant}/{key}.tsv"
    script:
        "../scripts/kernel_wheel.py"


rule kernels:
    input:
        wheel=lambda w: ancient(WHEELS.kernel_wheel_stamp(w.variant)),
        environment=lambda w: ancient(
            ARTIFACTS.stamp(WHEELS.build_environment(f"build-{w.variant}"))
        ),
    output:
        LAYOUT.stamp("kernels", "{variant}", "{key}"),
    params:
        built_for=lambda w: BUILDABLE.built_for(w.variant),
        own=lambda w: WHEELS.own_kernels(w.variant),
    log:
        LAYOUT.root / "logs/kernels/{variant}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/kernels/{variant}/{key}.tsv"
    script:
        "../scripts/kernels.py"


def wheel_request(wildcards):
    return REQUESTS.wheel(wildcards.repo, wildcards.variant)


rule wheel:
    input:
        wheel_inputs,
        kernels=wheel_kernels,
        finished=finished_wheel,
    output:
        LAYOUT.stamp("wheel", "{variant}/{repo}", "{key}"),
    params:
        spec=lambda w: LAYOUT.spec("wheel", f"{w.variant}/{w.repo}", w.key),
        machine=MACHINE,
        cores=lambda _, threads: threads if ELSEWHERE else CORES,
        given_mb=lambda _, resources: resources.mem_mb if ELSEWHERE else None,
    # here the job server shares the cores; the longest build begins first
    threads: threads(1, wheel_request)
    resources:
        mem_mb=lambda w, threads: wheel_request(w).memory(threads),
        runtime=lambda w: wheel_request(w).minutes,
    priority: lambda w: int(SOURCES.recipe(w.repo).heavy)
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
        LAYOUT.view("wheelhouse-{variant}", "{key}"),
    log:
        LAYOUT.root / "logs/wheelhouse/{variant}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/wheelhouse/{variant}/{key}.tsv"
    script:
        "../scripts/wheelhouse_view.py"
