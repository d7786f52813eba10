"""Job: write the benchmark report, from all runs that there are records of."""

from snakedev.base.errors import UserError
from snakedev.base.job import job
from snakedev.config.fields import VARIANTS
from snakedev.config.read import check
from snakedev.reports.bench.headline import headline
from snakedev.reports.bench.page import write_report
from snakedev.reports.bench.record import kept_records
from snakedev.store.layout import Layout

if __name__ == "__main__":
    with job("bench report", snakemake.log[0]) as running:
        layout = Layout.of(check(snakemake.config))
        # of other machines, too
        kept = {variant: kept_records(layout.bench_records, variant) for variant in VARIANTS}
        runs = {variant: records for variant, records in kept.items() if records}
        if not runs:
            raise UserError("there is no benchmark run yet: run `snakemake bench_report`")
        latest = [records[-1] for records in runs.values()]
        write_report(latest, runs, layout.reports)
        for run in latest:
            running.conclude(headline(run))
        running.conclude(f"See {layout.reports / 'bench.html'}")
