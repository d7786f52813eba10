"""Job: write the patch report."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.reports.patches.page import headline, write_report
from snakedev.reports.patches.record import PatchTrialRecord

if __name__ == "__main__":
    with job("patch report", snakemake.log[0]) as running:
        trials = [PatchTrialRecord.read(Path(path)) for path in snakemake.input.trials]
        html, csv = Path(snakemake.output.html), Path(snakemake.output.csv)
        record = write_report(trials, snakemake.params.key, html, csv)
        record.write(Path(snakemake.output.record))
        running.say(f"{headline(trials)} See {html}")
