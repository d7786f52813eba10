"""Job: write the benchmark report, from all runs that there are records of."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.reports.bench.page import headline, write_report
from snakedev.reports.bench.record import BenchRecord
from snakedev.reports.bench.run import kept_records
from snakedev.store.layout import Layout

if __name__ == "__main__":
    with job("bench report", snakemake.log[0]) as running:
        layout = Layout.of(check(snakemake.config))
        latest = [BenchRecord.read(Path(path)) for path in snakemake.input.runs]
        runs = {run.variant: kept_records(layout, run.variant) for run in latest}
        html, csv = Path(snakemake.output.html), Path(snakemake.output.csv)
        report = write_report(latest, runs, html, csv)
        report.write(Path(snakemake.output.record))
        for run in latest:
            running.say(headline(run))
        running.say(f"See {html}")
