"""Job: write the patch report."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.reports.patches.headline import headline
from snakedev.reports.patches.page import write_report
from snakedev.reports.patches.record import PatchTrialRecord
from snakedev.store.layout import Layout
from snakedev.store.publish import shown

if __name__ == "__main__":
    with job("patch report", snakemake.log[0]) as running, shown(Path(snakemake.output[0])):
        trials = [PatchTrialRecord.read(Path(path)) for path in snakemake.input.trials]
        folder = Layout.of(check(snakemake.config)).reports
        write_report(trials, snakemake.wildcards.key, folder)
        running.conclude(f"{headline(trials)} See {folder / 'patches.html'}")
