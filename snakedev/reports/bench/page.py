"""The benchmark report: one page for a person, one table for a program, from all runs' records."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snakedev.base.records import Record
from snakedev.reports.bench.headline import headline, state, summary, tiles
from snakedev.reports.bench.record import BUSY_SHARE, BenchRecord
from snakedev.reports.bench.sections import shown
from snakedev.reports.bench.table import table
from snakedev.reports.bench.trend import trend
from snakedev.reports.write import write


class BenchReportRecord(Record):
    """What a benchmark report shows."""

    latest: tuple[BenchRecord, ...]
    """The latest run of each variant."""
    runs: dict[str, tuple[str, ...]]
    """By variant: when each run began that there is a record of."""


def write_report(
    latest: Sequence[BenchRecord], runs: Mapping[str, Sequence[BenchRecord]], folder: Path
) -> BenchReportRecord:
    """Write bench.html, .csv and .json; ``runs`` are all records by variant, the latest among
    them."""
    record = BenchReportRecord(
        latest=tuple(latest),
        runs={variant: tuple(run.started for run in kept) for variant, kept in runs.items()},
    )
    every = [run for kept in runs.values() for run in kept]
    write(record, table(every), "bench/page.html.j2", _page(latest, runs), folder, "bench")
    return record


def _page(
    latest: Sequence[BenchRecord], runs: Mapping[str, Sequence[BenchRecord]]
) -> dict[str, Any]:
    """What the page shows."""
    first = latest[0]
    return {
        "state": state(first),
        "word": "",
        "headline": " ".join(
            f"On {run.variant}: {headline(run)}" if len(latest) > 1 else headline(run)
            for run in latest
        ),
        "summary": summary(first),
        "work": {repo: tree for run in latest for repo, tree in run.work.items()},
        "busy": [run for run in latest if run.busy],
        "share": f"{BUSY_SHARE:.0%}",
        "without": {run.variant: run.without_stock for run in latest if run.without_stock},
        "tiles": tiles(first),
        "runs": [shown(run) for run in latest],
        "trends": [trend(variant, kept) for variant, kept in runs.items() if kept],
    }
