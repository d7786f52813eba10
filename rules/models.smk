# Models as folders that vLLM loads.


rule models:
    """
    Make the folders of the models that smoke runs use.
    """
    input:
        lambda _: [ancient(ARTIFACTS.stamp(REPORTS.model(name))) for name in CONFIG.smoke.models],


rule model:
    input:
        # a GGUF model is converted by the packages that run it
        lambda w: needs(
            REPORTS.model(w.model),
            lambda: [ARTIFACTS.stamp(WHEELS.run_environment(CONFIG.smoke.variants[0]))],
        ),
    output:
        LAYOUT.stamp("model", "{model}", "{key}"),
    params:
        spec=lambda w: LAYOUT.spec("model", w.model, w.key),
        python=lambda _: WHEELS.run_python(CONFIG.smoke.variants[0]),
    log:
        LAYOUT.root / "logs/model/{model}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/model/{model}/{key}.tsv"
    script:
        "../scripts/model.py"
