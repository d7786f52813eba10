"""A benchmark run as the page shows it, section by section."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from snakedev.reports import figures
from snakedev.reports.bench.record import (
    CONTENDERS,
    OFF,
    ON,
    STOCK,
    BenchRecord,
    OfflineResult,
    ScalingPart,
)
from snakedev.reports.bench.server_record import ServerProcesses
from snakedev.reports.bench.server_section import server_section
from snakedev.reports.html import TIMES, duration, listed, rate, size, spread, times, when

_KINDS = {OFF: 0, ON: 1, STOCK: 2}
"""The colour of each contender."""


_IDEAL = "ideal, up to the cores"


def shown(run: BenchRecord) -> dict[str, Any]:
    """A run, as the page shows it."""
    return {
        "record": run,
        "started": when(run.started),
        "scaling": _scaling(run) if run.threads else None,
        "single": _single(run),
        "imports": [_import(one, run) for one in run.imports],
        "offline": _offline(run) if run.offline else None,
        "server": server_section(run),
        "memory": _memory(run),
        "settings": _settings(run),
        "rounds": run.settings.rounds,
    }


def _scaling(run: BenchRecord) -> dict[str, Any]:
    counts = sorted({point.threads for part in run.threads for point in part.points})
    panels = [_panel(part, counts, run.cores) for part in run.threads]
    rows = [
        {
            "part": part.name if number == 0 else "",
            "contender": name,
            "cells": [_cell(part, name, threads, run.cores) for threads in counts],
            "unit": f"{part.unit}/s",
        }
        for part in run.threads
        for number, name in enumerate((OFF, ON))
        if part.of(name)
    ]
    title = "Speed-up over one thread, by threads"
    return {
        "figure": figures.panels(panels, title, "threads", alike=True),
        "columns": [f">{count} {'thread' if count == 1 else 'threads'}" for count in counts],
        "rows": rows,
    }


def _panel(part: ScalingPart, counts: Sequence[int], cores: int) -> figures.Panel:
    ideal = {count: [float(count)] for count in counts if count <= cores}
    lines = [figures.Line(_IDEAL, ideal, dashed=True)] + [
        figures.Line(name, part.speedups(name), kind=_KINDS[name]) for name in (OFF, ON)
    ]
    return figures.Panel(part.name, [line for line in lines if line.points], counts)


def _cell(part: ScalingPart, contender: str, threads: int, cores: int) -> dict[str, str] | None:
    point = next((one for one in part.of(contender) if one.threads == threads), None)
    if point is None:
        return None
    speedups = part.speedups(contender)[threads]
    told = {"rate": rate(point.rate), "speedup": "", "efficiency": ""}
    if threads > 1:
        ideal = min(threads, cores)
        told["speedup"] = spread(speedups, "{:.2f}", before=TIMES)
        told["efficiency"] = f"{median(speedups) / ideal:.0%}"
    return told


def _single(run: BenchRecord) -> list[dict[str, Any]]:
    """What one thread does in each part, beside the ordinary Python."""
    rows = []
    for part in run.threads:
        rates = {name: points[0] for name in CONTENDERS if (points := part.of(name))}
        ordinary = rates.get(STOCK)
        rows.append(
            {
                "part": part.name,
                "unit": f"{part.unit}/s",
                "rates": [rate(rates[name].rate) if name in rates else "" for name in CONTENDERS],
                "ratios": [
                    times(rates[name].rate / ordinary.rate) if ordinary else ""
                    for name in (OFF, ON)
                ],
            }
        )
    return rows


def _import(one: Any, run: BenchRecord) -> dict[str, str]:
    stock = [median(x.seconds) for x in run.imports if x.contender == STOCK]
    ratio = times(median(one.seconds) / stock[0]) if stock else ""
    return {
        "contender": one.contender,
        "seconds": spread(one.seconds, "{:.1f}", after=" s"),
        "ratio": ratio,
        "pss": size(one.pss),
    }


def _offline(run: BenchRecord) -> dict[str, Any]:
    rows, bars = [], []
    for result in run.offline:
        speeds = result.tokens_per_second
        on = [x for x in run.offline_of(ON) if x.mode == result.mode]
        rows.append(
            {
                "mode": result.mode,
                "contender": result.contender,
                "speed": spread(speeds, "{:,.0f}"),
                "ratio": times(median(speeds) / median(on[0].tokens_per_second)) if on else "",
                "load": duration(result.load_seconds),
                "memory": size(result.pss),
                "processes": sum(process.gil is not None for process in result.processes),
            }
        )
        text = f"{median(speeds):,.0f}"
        label = f"{result.contender}, {result.mode}"
        bars.append(figures.Bar(label, median(speeds), text, kind=_KINDS[result.contender]))
    figure = figures.bars(bars, "Tokens per second offline, in the median round", "tokens/s")
    return {"rows": rows, "figure": figure}


def _memory(run: BenchRecord) -> list[dict[str, Any]]:
    """The processes of each engine and server, with their memory."""
    servers = run.server.servers if run.server else ()
    loaded: list[tuple[str, OfflineResult | ServerProcesses]] = [
        *((f"offline, {one.mode}", one) for one in run.offline),
        *(("server", one) for one in servers),
    ]
    return [
        {
            "what": what,
            "contender": one.contender,
            "total": size(one.pss),
            "parts": listed(
                [f"{p.role} {size(p.pss)}" for p in one.processes if p.gil is not None]
                or [size(one.pss)]
            ),
        }
        for what, one in loaded
    ]


def _settings(run: BenchRecord) -> list[tuple[str, str]]:
    wanted = run.settings
    described = [
        (one.name, f"Python {one.build}, {_state(one)}; {_versions(one.versions)}")
        for one in run.interpreters
    ]
    pins = [
        f"{name} {pin.version} ({pin.patches} patches, source {pin.source_key})"
        for name, pin in run.pins.items()
    ]
    return [
        ("machine", ", ".join(f"{name} {value}" for name, value in run.machine.items())),
        ("load average", f"{run.load_average:.2f} when it began, on {run.cores} cores"),
        ("model", run.model),
        ("built here", "; ".join(pins) or "nothing"),
        *described,
        ("rounds", f"{wanted.rounds}, of {wanted.seconds:g} s each for threads"),
        ("offline", f"{wanted.prompts} prompts at once, {wanted.tokens} new tokens each"),
        (
            "server",
            f"{wanted.server.rounds} rounds, of about {wanted.server.seconds:g} s for each load",
        ),
        ("environment", run.environment_key),
        ("took", duration(run.seconds)),
    ]


def _state(one: Any) -> str:
    if not one.free_threaded:
        return "ordinary"
    return f"free-threaded, GIL {'on' if one.gil_enabled else 'off'}"


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
