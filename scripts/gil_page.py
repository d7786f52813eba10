"""Job: write the GIL report."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.reports.gil.page import headline, write_report
from snakedev.reports.gil.record import GilRecord

if __name__ == "__main__":
    with job("gil report", snakemake.log[0]) as running:
        trials = [GilRecord.read(Path(path)) for path in snakemake.input.trials]
        html, csv = Path(snakemake.output.html), Path(snakemake.output.csv)
        wanted = snakemake.params
        record = write_report(trials, wanted.skipped, wanted.key, html, csv)
        record.write(Path(snakemake.output.record))
        running.say(f"{headline(trials)} See {html}")
