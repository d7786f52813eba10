"""Job: ask the package index about vLLM's closure, and write the compatibility report."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.reports.compat.history import compare
from snakedev.reports.compat.look_up import look_up
from snakedev.reports.compat.page import headline, write_report
from snakedev.store.layout import Layout

if __name__ == "__main__":
    with job("compat report", snakemake.log[0]) as running:
        config, wanted = check(snakemake.config), snakemake.params
        layout = Layout.of(config)
        record = look_up(config, layout, Path(wanted.folder), wanted.parts, running)
        before, changes = compare(record, layout.reports / "compat")
        write_report(record, before, changes, layout.reports)
        for change in changes:
            running.say(f"since {before.made:%-d %B %Y}: {change.title} {change.text}")
        running.conclude(f"{headline(record)} See {layout.reports / 'compat.html'}")
