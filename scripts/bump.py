"""Job: move pins to newer releases, and write the bump report."""

from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.job import job
from snakedev.bump.move import bump
from snakedev.config.read import check
from snakedev.reports.bump.page import headline, write_report
from snakedev.store.layout import Layout

if __name__ == "__main__":
    with job("bump", snakemake.log[0]) as running:
        record = bump(snakemake.config, Path(snakemake.params.project), running)
        if headline(record):
            reports = Layout.of(check(snakemake.config)).reports
            write_report(record, reports)
            running.conclude(f"{headline(record)} See {reports / 'bump.html'}")
        for move in record.moves:
            if move.problem and not move.waits:
                raise UserError(move.problem)
            if move.problem:
                # the run ends with a status of its own, where Snakemake has no failure to show
                running.conclude(move.problem)
