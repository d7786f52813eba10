"""How the figures of a benchmark report went from run to run."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from snakedev.reports import figures
from snakedev.reports.bench.headline import overall
from snakedev.reports.bench.record import CONTENDERS, OFF, ON, BenchRecord
from snakedev.reports.html import when


def trend(variant: str, runs: Sequence[BenchRecord]) -> dict[str, Any]:
    """All runs, latest first; those of one machine, pin and model, and of one amount of work, make
    a series."""
    series: dict[tuple[object, ...], str] = {}
    for run in runs:
        series.setdefault(_compared(run), chr(ord("A") + len(series) % 26))
    named = [series[_compared(run)] for run in runs]
    rows = [
        {"run": run, "series": name, "number": number, **_trend_figures(run)}
        for number, (run, name) in enumerate(zip(runs, named, strict=True), 1)
    ]
    return {
        "variant": variant,
        "rows": rows[::-1],
        "figure": _trend_figure(rows) if len(rows) > 1 else "",
    }


def _compared(run: BenchRecord) -> tuple[object, ...]:
    """What has to be the same of two runs whose figures are compared."""
    wanted = run.settings
    work = (wanted.prompts, wanted.tokens, run.headline_threads(), wanted.seconds)
    return (run.where, run.pin, run.model, *work)


def _trend_figures(run: BenchRecord) -> dict[str, Any]:
    threads = run.headline_threads()
    gains = [overall(run, name, threads) if threads else None for name in (OFF, ON)]
    speeds = [
        median(modes[0].tokens_per_second) if (modes := run.offline_of(name)) else None
        for name in CONTENDERS
    ]
    return {"threads": threads, "gains": gains, "speeds": speeds, "started": when(run.started)}


def _trend_figure(rows: Sequence[Mapping[str, Any]]) -> str:
    ticks = [row["number"] for row in rows]
    panels = []
    for title, values in (
        ("speed-up by threads, GIL off", lambda row: row["gains"][0]),
        ("tokens/s offline, GIL off", lambda row: row["speeds"][0]),
    ):
        series: dict[str, dict[float, list[float]]] = {}
        for row in rows:
            if (value := values(row)) is not None:
                series.setdefault(row["series"], {})[row["number"]] = [value]
        lines = [
            figures.Line(f"series {name}", points, kind=ord(name) - ord("A"))
            for name, points in series.items()
        ]
        if lines:
            panels.append(figures.Panel(title, lines, ticks))
    return figures.panels(panels, "All runs, in their order", "run") if panels else ""
