# Reports, and the verdict that makes a run with a failed smoke check end as a failure.


def smoke_stamps(_):
    return [ancient(ARTIFACTS.stamp(spec)) for spec in REPORTS.smokes()]


def smoke_verdict(_):
    """The stamp of the verdict on the present smoke runs."""
    return LAYOUT.stamp("verdict", "smoke", REPORTS.smokes_key())


def judged_page(_):
    """The page that is written before the verdict; none where the verdict stands."""
    stands = smoke_verdict(_).is_file() and all(map(ARTIFACTS.stands, REPORTS.smokes()))
    return [] if stands else ancient(REPORTS.smoke_view())


rule smoke_page:
    input:
        smoke=smoke_stamps,
        wheels=lambda _: [s for v in BUILDABLE.runnable for s in wheel_stamps(v)],
        environments=lambda _: [
            ancient(ARTIFACTS.stamp(WHEELS.run_environment(v))) for v in BUILDABLE.runnable
        ],
    output:
        LAYOUT.view("smoke", "{key}"),
    params:
        left_out=lambda _: dict(BUILDABLE.left_out),
        skipped=lambda _: dict(BUILDABLE.skipped),
    log:
        LAYOUT.root / "logs/smoke_page/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/smoke_page/{key}.tsv"
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


# A ref that can move is looked up again by each run.
use rule patch_trial as ref_trial with:
    output:
        LAYOUT.view("patches/{repo}/{trial}", "{key}"),
    params:
        spec=lambda w: LAYOUT.spec("patches", w.repo, w.trial),
    log:
        LAYOUT.root / "logs/patches/{repo}/{trial}-{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/patches/{repo}/{trial}-{key}.tsv"


rule patch_page:
    input:
        trials=lambda _: [ancient(stamp) for stamp in REPORTS.patch_trial_stamps()],
    output:
        LAYOUT.view("patches", "{key}"),
    log:
        LAYOUT.root / "logs/patch_page/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/patch_page/{key}.tsv"
    script:
        "../scripts/patch_page.py"


def gil_request(wildcards):
    return REQUESTS.gil_trial(wildcards.variant)


rule gil_trial:
    input:
        lambda w: needs(
            REPORTS.gil(w.variant), lambda: [ARTIFACTS.stamp(WHEELS.run_environment(w.variant))]
        ),
    output:
        LAYOUT.stamp("gil", "{variant}", "{key}"),
    params:
        spec=lambda w: LAYOUT.spec("gil", w.variant, w.key),
        machine=MACHINE,
        built_for=lambda w: BUILDABLE.built_for(w.variant),
    threads: threads(CORES, gil_request)
    resources:
        mem_mb=lambda w, threads: gil_request(w).memory(threads),
        runtime=lambda w: gil_request(w).minutes,
        gpu=lambda w: gil_request(w).gpu,
    log:
        LAYOUT.root / "logs/gil/{variant}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/gil/{variant}/{key}.tsv"
    script:
        "../scripts/gil_trial.py"


rule gil_page:
    input:
        trials=lambda _: [ancient(ARTIFACTS.stamp(spec)) for spec in REPORTS.gils()],
    output:
        LAYOUT.view("gil", "{key}"),
    params:
        skipped=lambda _: dict(BUILDABLE.skipped),
    log:
        LAYOUT.root / "logs/gil_page/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/gil_page/{key}.tsv"
    script:
        "../scripts/gil_page.py"


def bench_runs(_):
    """The stamps of the benchmark runs, unless there is nothing to measure."""
    return REPORTS.bench_runs()


def bench_request(wildcards):
    return REQUESTS.bench_run(wildcards.variant)


rule bench_run:
    input:
        lambda w: ancient(ARTIFACTS.stamp(WHEELS.run_environment(w.variant))),
        lambda _: ancient(ARTIFACTS.stamp(REPORTS.model(REPORTS.bench_model))),
        lambda w: [ancient(stamp) for stamp in REPORTS.stock_stamps(w.variant)],
    output:
        LAYOUT.view("bench-{variant}", "{key}"),
    params:
        spec=lambda w: ARTIFACTS.spec_file(REPORTS.bench(w.variant)),
        lock=lambda w: PROJECT / "envs" / f"run-{w.variant}.lock",
        machine=MACHINE,
        built_for=lambda w: BUILDABLE.built_for(w.variant),
    # here nothing else runs beside a measurement
    threads: threads(CORES, bench_request)
    resources:
        mem_mb=lambda w, threads: bench_request(w).memory(threads),
        runtime=lambda w: bench_request(w).minutes,
        gpu=lambda w: bench_request(w).gpu,
    log:
        LAYOUT.root / "logs/bench/{variant}-{key}.log",
    script:
        "../scripts/bench_run.py"


# Like all rules without outputs it runs each time that it is asked for.
rule bench_page:
    """
    Write results/reports/bench.html from the records that there are.
    """
    log:
        LAYOUT.root / "logs/bench_page.log",
    script:
        "../scripts/bench_page.py"
