# Models as folders that vLLM loads.


rule models:
    """
    Make the folders of the models that smoke runs use.
    """
    input:
        lambda _: [ancient(PLAN.stamp(PLAN.model(name))) for name in PLAN.config.smoke.models],


rule model:
    input:
        # a GGUF model is converted by the packages that run it
        lambda w: needs(
            PLAN.model(w.model),
            lambda: [PLAN.stamp(PLAN.run_environment(PLAN.config.smoke.variants[0]))],
        ),
    output:
        LAYOUT.stamp("model", "{model}", "{key}"),
    params:
        spec=lambda w: LAYOUT.spec("model", w.model, w.key),
        python=lambda _: PLAN.run_python(PLAN.config.smoke.variants[0]),
    log:
        LAYOUT.root / "logs/model/{model}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/model/{model}/{key}.tsv"
    script:
        "../scripts/model.py"
