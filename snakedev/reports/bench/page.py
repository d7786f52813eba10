"""The benchmark report: one page for a person, one table for a program, from all runs' records."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from snakedev.base.records import Record, write_text
from snakedev.reports.bench.headline import (
    WORTH,
    named,
    overall,
    single_thread,
    stock_python,
    summary,
)
from snakedev.reports.bench.record import BUSY_SHARE, OFF, ON, STOCK, BenchRecord
from snakedev.reports.bench.sections import shown
from snakedev.reports.bench.table import table
from snakedev.reports.bench.trend import trend
from snakedev.reports.html import render, times, when


class BenchReportRecord(Record):
    """What a benchmark report shows."""

    latest: tuple[BenchRecord, ...]
    """The latest run of each variant."""
    runs: dict[str, tuple[str, ...]]
    """By variant: when each run began that there is a record of."""


def write_report(
    latest: Sequence[BenchRecord],
    runs: Mapping[str, Sequence[BenchRecord]],
    html: Path,
    csv: Path,
) -> BenchReportRecord:
    """Write the page and the table; ``runs`` are all records by variant, the latest among them."""
    write_text(html, page(latest, runs, datetime.now(UTC)))
    every = [run for variant in runs.values() for run in variant]
    write_text(csv, table(every).to_csv(index=False))
    return BenchReportRecord(
        latest=tuple(latest),
        runs={variant: tuple(run.started for run in found) for variant, found in runs.items()},
    )


def page(
    latest: Sequence[BenchRecord], runs: Mapping[str, Sequence[BenchRecord]], made: datetime
) -> str:
    """The whole page as HTML; nothing in it is fetched from elsewhere."""
    first = latest[0]
    threads = first.headline_threads()
    gains = [overall(first, name, threads) if threads else None for name in (OFF, ON)]
    worth = "good" if all(gains) and gains[0] > WORTH * gains[1] else "warned"
    return render(
        "bench/page.html.j2",
        {
            "made": when(made.isoformat()),
            # without threads there is nothing to judge
            "state": worth if threads else "plain",
            "headlines": [named(run, latest) for run in latest],
            "summary": summary(first),
            "work": {repo: tree for run in latest for repo, tree in run.work.items()},
            "busy": [run for run in latest if run.busy],
            "share": f"{BUSY_SHARE:.0%}",
            "without": {run.variant: run.without_stock for run in latest if run.without_stock},
            "tiles": _tiles(first),
            "runs": [shown(run) for run in latest],
            "trends": [trend(variant, found) for variant, found in runs.items() if found],
        },
    )


def _tiles(run: BenchRecord) -> list[dict[str, str]]:
    tiles = []
    if threads := run.headline_threads():
        for name in (OFF, ON):
            if gain := overall(run, name, threads):
                tiles.append((times(gain), f"{threads} threads over one, {name}"))
    if cost := single_thread(run, OFF, STOCK):
        tiles.append((times(cost), f"one thread, GIL off over ordinary {stock_python(run)}"))
    elif cost := single_thread(run, OFF, ON):
        tiles.append((times(cost), "one thread, GIL off over GIL on"))
    if run.offline:
        one, other = run.offline_of(OFF)[0], run.offline_of(ON)[0]
        ratio = median(one.tokens_per_second) / median(other.tokens_per_second)
        tiles.append((times(ratio), "tokens/s offline, GIL off over GIL on"))
    if run.server:
        most = max(load.clients for load in run.server.loads)
        off, on = run.server.load(OFF, most), run.server.load(ON, most)
        ratio = median(off.requests_per_second) / median(on.requests_per_second)
        tiles.append((times(ratio), f"server, {most} clients, GIL off over GIL on"))
    return [{"value": value, "label": label} for value, label in tiles]
