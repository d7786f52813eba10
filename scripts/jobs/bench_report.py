"""Job: write the benchmark report, from all runs that there are records of."""

from pathlib import Path

from scripts.bench_record import BenchRecord
from scripts.bench_report import headline, write_report
from scripts.bench_run import kept_records
from scripts.config import check
from scripts.job import job
from scripts.layout import Layout

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
