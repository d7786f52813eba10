"""Job: write the GIL report."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.reports.gil.page import headline, write_report
from snakedev.reports.gil.record import GilRecord
from snakedev.store.layout import Layout
from snakedev.store.publish import shown

if __name__ == "__main__":
    with job("gil report", snakemake.log[0]) as running, shown(Path(snakemake.output[0])):
        trials = [GilRecord.read(Path(path)) for path in snakemake.input.trials]
        folder = Layout.of(check(snakemake.config)).reports
        write_report(trials, snakemake.params.skipped, snakemake.wildcards.key, folder)
        running.conclude(f"{headline(trials)} See {folder / 'gil.html'}")
