# Inference runs that prove the wheels.


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
    threads: workflow.cores
    log:
        LAYOUT.root / "logs/smoke/{variant}/{model}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/smoke/{variant}/{model}/{key}.tsv"
    script:
        "../scripts/smoke.py"
