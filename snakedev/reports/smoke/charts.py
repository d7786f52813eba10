"""The figures of the smoke report: where the time and the memory went."""

from collections.abc import Sequence
from typing import Any

from snakedev.inference.smoke_record import SmokeRecord
from snakedev.reports.figures import Bar, bars
from snakedev.reports.html import duration, size
from snakedev.wheels.record import WheelRecord


def run_charts(run: SmokeRecord) -> list[dict[str, Any]]:
    """Those of a run that there is something to draw for: each with a title, a note and an SVG."""
    return [chart for chart in (_start(run), _speed(run), _memory(run)) if chart]


def build_chart(wheels: Sequence[WheelRecord]) -> dict[str, Any] | None:
    """How long each wheel took to build, the longest first; None without a wheel."""
    if not wheels:
        return None
    ordered = sorted(wheels, key=lambda wheel: -wheel.seconds)
    rows = [Bar(w.repo, w.seconds / 60, duration(w.seconds)) for w in ordered]
    total = duration(sum(wheel.seconds for wheel in wheels))
    return {
        "title": f"Building took {total}",
        "note": "Wall-clock time of each build; some ran side by side.",
        "svg": bars(rows, f"Build times, {total} together", "minutes"),
    }


def _start(run: SmokeRecord) -> dict[str, Any] | None:
    if not run.phases:
        return None
    rows, at = [], 0.0
    for phase in run.phases:
        kind = 1 if phase.name == "warm up" else 0
        rows.append(Bar(phase.name, phase.seconds, f"{phase.seconds:.1f} s", start=at, kind=kind))
        at += phase.seconds
    title = f"Start to first token: {at:.0f} s" if run.start_to_first_token else "The start"
    return {
        "title": title,
        "note": "Every process of the engine imports vLLM and torch; no code is compiled."
        if run.variant == "cpu"
        else "Every process of the engine imports vLLM and torch; the first run on a machine also "
        "compiles kernels that are not in the wheel.",
        "svg": bars(rows, f"{title}, phase by phase", "seconds since the start"),
    }


def _speed(run: SmokeRecord) -> dict[str, Any] | None:
    if run.throughput is None:
        return None
    result = run.throughput
    rows = [
        Bar(f"round {number}", result.tokens / seconds, f"{result.tokens / seconds:.0f}", kind=2)
        for number, seconds in enumerate(result.rounds, 1)
    ]
    title = f"Throughput: {result.tokens_per_second:.0f} tokens a second"
    return {
        "title": title,
        "note": f"{result.prompts} prompts at once, {result.tokens // result.prompts} new tokens "
        "each; the median round counts.",
        "svg": bars(rows, title, "new tokens per second"),
    }


def _memory(run: SmokeRecord) -> dict[str, Any] | None:
    if not run.processes:
        return None
    rows = [
        Bar(process.role, process.peak_rss / 1e9, size(process.peak_rss), kind=3)
        for process in run.processes
    ]
    title = f"Memory: {size(run.peak_memory)} at the most"
    return {
        "title": title,
        "note": "All processes together, shared pages counted once; below, each for itself.",
        "svg": bars(rows, title, "GB resident at the peak"),
    }
