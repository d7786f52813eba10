# Reports, and the verdict that makes a run with a failed check end as a failure.


def smoke_stamps(_):
    return [ancient(PLAN.stamp(spec)) for spec in PLAN.smokes()]


def smoke_verdict(_):
    """The stamp of the verdict on the present smoke runs."""
    return LAYOUT.stamp("verdict", "smoke", PLAN.smokes_key())


rule smoke_page:
    input:
        smoke=smoke_stamps,
        wheels=lambda _: [s for v in PLAN.config.smoke.variants for s in wheel_stamps(v)],
        environments=lambda _: [
            ancient(PLAN.stamp(PLAN.run_environment(v))) for v in PLAN.config.smoke.variants
        ],
    output:
        record=LAYOUT.reports / "smoke.json",
        html=report(LAYOUT.reports / "smoke.html", category="Smoke"),
        csv=LAYOUT.reports / "smoke.csv",
    params:
        key=lambda _: PLAN.smoke_page_key(),
        left_out=lambda _: dict(PLAN.left_out),
    log:
        LAYOUT.root / "logs/smoke_page.log",
    benchmark:
        LAYOUT.root / "benchmarks/smoke_page.tsv"
    script:
        "../scripts/jobs/smoke_report.py"


rule verdict:
    input:
        page=lambda _: ancient(PLAN.smoke_page()),
        smoke=smoke_stamps,
    output:
        LAYOUT.stamp("verdict", "smoke", "{key}"),
    log:
        LAYOUT.root / "logs/verdict/{key}.log",
    script:
        "../scripts/jobs/verdict.py"
