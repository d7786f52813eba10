# Reports, and the verdict that makes a run with a failed smoke check end as a failure.


def smoke_stamps(_):
    return [ancient(PLAN.stamp(spec)) for spec in PLAN.smokes()]


def smoke_verdict(_):
    """The stamp of the verdict on the present smoke runs."""
    return LAYOUT.stamp("verdict", "smoke", PLAN.smokes_key())


def judged_page(_):
    """The page that is written before the verdict; none where the verdict stands."""
    stands = smoke_verdict(_).is_file() and all(map(PLAN.stands, PLAN.smokes()))
    return [] if stands else ancient(PLAN.smoke_page())


rule smoke_page:
    input:
        smoke=smoke_stamps,
        wheels=lambda _: [s for v in PLAN.runnable for s in wheel_stamps(v)],
        environments=lambda _: [ancient(PLAN.stamp(PLAN.run_environment(v))) for v in PLAN.runnable],
    output:
        record=LAYOUT.reports / "smoke.json",
        html=report(LAYOUT.reports / "smoke.html", category="Smoke"),
        csv=LAYOUT.reports / "smoke.csv",
    params:
        key=lambda _: PLAN.smoke_page_key(),
        left_out=lambda _: dict(PLAN.left_out),
        skipped=lambda _: dict(PLAN.skipped),
    log:
        LAYOUT.root / "logs/smoke_page.log",
    benchmark:
        LAYOUT.root / "benchmarks/smoke_page.tsv"
    script:
        "../scripts/smoke_page.py"


rule verdict:
    input:
        page=judged_page,
        smoke=smoke_stamps,
    output:
        LAYOUT.stamp("verdict", "smoke", "{key}"),
    log:
        LAYOUT.root / "logs/verdict/{key}.log",
    script:
        "../scripts/verdict.py"


rule patch_trial:
    input:
        pin=lambda w: pin_stamp(w.repo),
    output:
        LAYOUT.stamp("patches", "{repo}", "{key}"),
    params:
        spec=lambda w: LAYOUT.spec("patches", w.repo, w.key),
    log:
        LAYOUT.root / "logs/patches/{repo}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/patches/{repo}/{key}.tsv"
    script:
        "../scripts/patch_trial.py"


rule patch_page:
    input:
        trials=lambda _: [ancient(stamp) for stamp in PLAN.patch_trial_stamps],
    output:
        record=LAYOUT.reports / "patches.json",
        html=report(LAYOUT.reports / "patches.html", category="Patches"),
        csv=LAYOUT.reports / "patches.csv",
    params:
        key=lambda _: PLAN.patch_page_key(),
    log:
        LAYOUT.root / "logs/patch_page.log",
    benchmark:
        LAYOUT.root / "benchmarks/patch_page.tsv"
    script:
        "../scripts/patch_page.py"


rule compat_page:
    input:
        pin=lambda _: pin_stamp("vllm"),
    output:
        record=LAYOUT.reports / "compat.json",
        html=report(LAYOUT.reports / "compat.html", category="Compatibility"),
        csv=LAYOUT.reports / "compat.csv",
    params:
        spec=lambda _: PLAN.written(PLAN.pinned_source("vllm")),
        folder=PROJECT / "envs",
        parts=lambda _: PLAN.vllm_parts(),
    log:
        LAYOUT.root / "logs/compat_page.log",
    benchmark:
        LAYOUT.root / "benchmarks/compat_page.tsv"
    script:
        "../scripts/compat_page.py"


rule gil_trial:
    input:
        lambda w: needs(PLAN.gil(w.variant), lambda: [PLAN.stamp(PLAN.run_environment(w.variant))]),
    output:
        LAYOUT.stamp("gil", "{variant}", "{key}"),
    params:
        spec=lambda w: LAYOUT.spec("gil", w.variant, w.key),
    threads: workflow.cores
    log:
        LAYOUT.root / "logs/gil/{variant}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/gil/{variant}/{key}.tsv"
    script:
        "../scripts/gil_trial.py"


rule gil_page:
    input:
        trials=lambda _: [ancient(PLAN.stamp(spec)) for spec in PLAN.gils()],
    output:
        record=LAYOUT.reports / "gil.json",
        html=report(LAYOUT.reports / "gil.html", category="GIL"),
        csv=LAYOUT.reports / "gil.csv",
    params:
        key=lambda _: PLAN.gil_page_key(),
        skipped=lambda _: dict(PLAN.skipped),
    log:
        LAYOUT.root / "logs/gil_page.log",
    benchmark:
        LAYOUT.root / "benchmarks/gil_page.tsv"
    script:
        "../scripts/gil_page.py"


def bench_record(_):
    """The record of the benchmark report, unless there is nothing to measure."""
    try:
        return PLAN.bench_page()
    except UserError as error:
        stopped(error)


rule bench_run:
    input:
        lambda w: ancient(PLAN.stamp(PLAN.run_environment(w.variant))),
        lambda _: ancient(PLAN.stamp(PLAN.model(PLAN.bench_model))),
    output:
        PLAN.bench_run("{variant}"),
    params:
        spec=lambda w: PLAN.written(PLAN.bench(w.variant)),
        lock=lambda w: PROJECT / "envs" / f"run-{w.variant}.lock",
    # nothing else runs beside a measurement
    threads: workflow.cores
    log:
        LAYOUT.root / "logs/bench/{variant}.log",
    script:
        "../scripts/bench_run.py"


rule bench_page:
    input:
        runs=lambda _: [PLAN.bench_run(variant) for variant in PLAN.bench_variants],
    output:
        record=LAYOUT.reports / "bench.json",
        html=report(LAYOUT.reports / "bench.html", category="Benchmarks"),
        csv=LAYOUT.reports / "bench.csv",
    log:
        LAYOUT.root / "logs/bench_page.log",
    script:
        "../scripts/bench_page.py"
