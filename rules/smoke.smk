# Inference runs that prove the wheels.


def smoke_request(wildcards):
    return REQUESTS.smoke(wildcards.variant)


rule smoke:
    input:
        lambda w: needs(
            REPORTS.smoke(w.variant, w.model),
            lambda: map(
                ARTIFACTS.stamp, (WHEELS.run_environment(w.variant), REPORTS.model(w.model))
            ),
        ),
    output:
        LAYOUT.stamp("smoke", "{variant}/{model}", "{key}"),
    params:
        spec=lambda w: LAYOUT.spec("smoke", f"{w.variant}/{w.model}", w.key),
        machine=MACHINE,
        built_for=lambda w: BUILDABLE.built_for(w.variant),
    threads: threads(CORES, smoke_request)
    resources:
        mem_mb=lambda w, threads: smoke_request(w).memory(threads),
        runtime=lambda w: smoke_request(w).minutes,
        gpu=lambda w: smoke_request(w).gpu,
    log:
        LAYOUT.root / "logs/smoke/{variant}/{model}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/smoke/{variant}/{model}/{key}.tsv"
    script:
        "../scripts/smoke.py"
