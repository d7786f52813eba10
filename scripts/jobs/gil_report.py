"""Job: write the GIL report."""

from pathlib import Path

from scripts.gil_record import GilRecord
from scripts.gil_report import headline, write_report
from scripts.job import job

if __name__ == "__main__":
    with job("gil report", snakemake.log[0]) as running:
        trials = [GilRecord.read(Path(path)) for path in snakemake.input.trials]
        html, csv = Path(snakemake.output.html), Path(snakemake.output.csv)
        wanted = snakemake.params
        record = write_report(trials, wanted.skipped, wanted.key, html, csv)
        record.write(Path(snakemake.output.record))
        running.say(f"{headline(trials)} See {html}")
