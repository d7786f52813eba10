"""Job: say what was ever built in the store, and how it ran."""

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.reports.history.page import headline, look_back, write_report
from snakedev.store.layout import Layout

if __name__ == "__main__":
    with job("history", snakemake.log[0]) as running:
        layout = Layout.of(check(snakemake.config))
        record = look_back(layout)
        write_report(record, layout.reports)
        running.conclude(f"{headline(record)} See {layout.reports / 'history.html'}")
