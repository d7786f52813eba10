"""The benchmark report: one page for a person, one table for a program, from all runs' records."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import pandas as pd

from snakedev.base.records import Record, write_text
from snakedev.reports import figures
from snakedev.reports.bench.record import (
    BUSY_SHARE,
    OFF,
    ON,
    STOCK,
    BenchRecord,
    EngineProcess,
    Latency,
    ScalingPart,
)
from snakedev.reports.html import duration, render, size, when

CONTENDERS = (OFF, ON, STOCK)
_KINDS = {OFF: 0, ON: 1, STOCK: 2}
"""The colour of each contender."""
_TIMES = "\N{MULTIPLICATION SIGN}"
_IDEAL = "ideal, up to the cores"
_WORTH = 1.1
"""The GIL off has to give so many times what it gives on, to be told as a gain."""


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


def headline(run: BenchRecord) -> str:
    """The verdict in a sentence: what threads give, or else what came of offline or server."""
    if (threads := run.headline_threads()) and (off := overall(run, OFF, threads)):
        on = overall(run, ON, threads)
        gains = f"{_times(off)} with the GIL off against {_times(on)} with it on"
        return f"{threads} threads give {gains}."
    if run.offline:
        one, other = run.offline_of(OFF)[0], run.offline_of(ON)[0]
        return (
            f"Offline, vLLM writes {median(one.tokens_per_second):,.0f} tokens/s with the GIL off "
            f"against {median(other.tokens_per_second):,.0f} with it on."
        )
    if run.server:
        most = max(load.clients for load in run.server.loads)
        off_load, on_load = run.server.load(OFF, most), run.server.load(ON, most)
        return (
            f"Under {most} clients, the server answers "
            f"{median(off_load.requests_per_second):.2f} requests/s with the GIL off against "
            f"{median(on_load.requests_per_second):.2f} with it on."
        )
    one, other = (median(x.seconds) for x in run.imports[:2])
    return f"Importing vLLM takes {one:.1f} s with the GIL off against {other:.1f} s with it on."


def overall(run: BenchRecord, contender: str, threads: int) -> float | None:
    """The geometric mean of the parts' speed-ups in so many threads; None where none is known."""
    found = [part.speedup(contender, threads) for part in run.threads]
    known = [one for one in found if one]
    return geometric_mean(known) if known else None


def single_thread(run: BenchRecord, contender: str, against: str) -> float | None:
    """What one thread of a contender does, in parts of what another's does: the geometric mean."""
    ratios = []
    for part in run.threads:
        ours, theirs = part.of(contender), part.of(against)
        if ours and theirs:
            ratios.append(ours[0].rate / theirs[0].rate)
    return geometric_mean(ratios) if ratios else None


def page(
    latest: Sequence[BenchRecord], runs: Mapping[str, Sequence[BenchRecord]], made: datetime
) -> str:
    """The whole page as HTML; nothing in it is fetched from elsewhere."""
    first = latest[0]
    threads = first.headline_threads()
    gains = [overall(first, name, threads) if threads else None for name in (OFF, ON)]
    worth = "good" if all(gains) and gains[0] > _WORTH * gains[1] else "warned"
    return render(
        "bench/page.html.j2",
        {
            "made": when(made.isoformat()),
            # without threads there is nothing to judge
            "state": worth if threads else "plain",
            "headlines": [_named(run, latest) for run in latest],
            "summary": _summary(first),
            "work": {repo: tree for run in latest for repo, tree in run.work.items()},
            "busy": [run for run in latest if run.busy],
            "share": f"{BUSY_SHARE:.0%}",
            "without": {run.variant: run.without_stock for run in latest if run.without_stock},
            "tiles": _tiles(first),
            "runs": [_run(run) for run in latest],
            "trends": [_trend(variant, found) for variant, found in runs.items() if found],
        },
    )


def table(runs: Sequence[BenchRecord]) -> pd.DataFrame:
    """One row for each figure of each run; `median`, `low` and `high` are those of its rounds."""
    rows = [
        {
            "started": run.started,
            "variant": run.variant,
            "machine": run.machine["cpu"],
            "cores": run.cores,
            "busy": run.busy,
            "model": run.model,
            "vllm": run.pins["vllm"].version if "vllm" in run.pins else "",
            "source_key": run.pins["vllm"].source_key if "vllm" in run.pins else "",
            "environment_key": run.environment_key,
            "part": "",
            "contender": "",
            "threads": None,
            "clients": None,
            "mode": "",
            "measure": "",
            "unit": "",
            "median": None,
            "low": None,
            "high": None,
            "rounds": None,
            **figure,
        }
        for run in runs
        for figure in _figures(run)
    ]
    frame = pd.DataFrame(rows)
    counts = {"threads": "Int64", "clients": "Int64", "rounds": "Int64"}
    return frame.astype(counts).round({"median": 4, "low": 4, "high": 4})


def _figures(run: BenchRecord) -> Iterator[dict[str, Any]]:
    """Every figure of a run, as the table has it."""
    for part in run.threads:
        for name in CONTENDERS:
            for point in part.of(name):
                at = {"part": part.name, "contender": name, "threads": point.threads}
                yield {**at, "measure": "rate", "unit": f"{part.unit}/s", **_told(point.rates)}
                ratios = part.speedups(name)[point.threads]
                yield {**at, "measure": "speed-up", "unit": "x", **_told(ratios)}
    for one in run.imports:
        at = {"part": "import", "contender": one.contender}
        yield {**at, "measure": "time", "unit": "s", **_told(one.seconds)}
        yield {**at, "measure": "memory (pss)", "unit": "bytes", "median": one.pss}
    for result in run.offline:
        at = {"part": "offline", "contender": result.contender, "mode": result.mode}
        told = _told(result.tokens_per_second)
        yield {**at, "measure": "throughput", "unit": "tokens/s", **told}
        yield {**at, "measure": "load time", "unit": "s", "median": result.load_seconds}
        yield {**at, **_memory_figure(result.processes)}
    for server in run.server.servers if run.server else ():
        at = {"part": "server", "contender": server.contender}
        yield {**at, "measure": "start time", "unit": "s", "median": server.start_seconds}
        yield {**at, **_memory_figure(server.processes)}
    for load in run.server.loads if run.server else ():
        at = {"part": "server", "contender": load.contender, "clients": load.clients}
        for measure, values in (
            ("requests", load.requests_per_second),
            ("tokens", load.tokens_per_second),
        ):
            yield {**at, "measure": measure, "unit": f"{measure}/s", **_told(values)}
        for measure, latency in (("ttft", load.ttft), ("tpot", load.tpot), ("itl", load.itl)):
            for percentile in ("p50", "p99"):
                value = getattr(latency, percentile)
                yield {**at, "measure": f"{measure} {percentile}", "unit": "ms", "median": value}


def _told(values: Sequence[float]) -> dict[str, Any]:
    return {
        "median": median(values),
        "low": min(values),
        "high": max(values),
        "rounds": len(values),
    }


def _memory_figure(processes: Sequence[EngineProcess]) -> dict[str, Any]:
    return {"measure": "memory (pss)", "unit": "bytes", "median": _pss(processes)}


def _pss(processes: Sequence[EngineProcess]) -> int:
    return sum(process.pss for process in processes)


def _named(run: BenchRecord, latest: Sequence[BenchRecord]) -> str:
    return f"On {run.variant}: {headline(run)}" if len(latest) > 1 else headline(run)


def _summary(run: BenchRecord) -> str:
    """What the headline is of, and what a user of vLLM has of it."""
    said = []
    if run.headline_threads():
        said.append(
            f"That is the geometric mean over {len(run.threads)} parts of the front end of vLLM, "
            f"each in one process on {run.where}."
        )
    tokens = {name: run.offline_of(name) for name in CONTENDERS}
    # unless the headline says it
    if run.offline and said:
        told = [
            f"{median(found[0].tokens_per_second):,.0f} ({_with(name)})"
            for name, found in tokens.items()
            if found
        ]
        said.append(f"Offline, vLLM writes {_listed(told)} tokens in a second.")
    if run.server:
        most = max(load.clients for load in run.server.loads)
        told = [
            f"{median(load.requests_per_second):.2f} ({_with(name)})"
            for name in CONTENDERS
            if (load := run.server.load(name, most))
        ]
        said.append(
            f"Under {most} clients, its server answers {_listed(told)} requests in a second."
        )
    return " ".join(said)


def _with(contender: str) -> str:
    return "stock wheel" if contender == STOCK else contender


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else words[0]


def _tiles(run: BenchRecord) -> list[dict[str, str]]:
    tiles = []
    if threads := run.headline_threads():
        for name in (OFF, ON):
            if gain := overall(run, name, threads):
                tiles.append((_times(gain), f"{threads} threads over one, {name}"))
    if cost := single_thread(run, OFF, STOCK):
        tiles.append((_times(cost), f"one thread, GIL off over ordinary {_stock_python(run)}"))
    elif cost := single_thread(run, OFF, ON):
        tiles.append((_times(cost), "one thread, GIL off over GIL on"))
    if run.offline:
        one, other = run.offline_of(OFF)[0], run.offline_of(ON)[0]
        ratio = median(one.tokens_per_second) / median(other.tokens_per_second)
        tiles.append((_times(ratio), "tokens/s offline, GIL off over GIL on"))
    if run.server:
        most = max(load.clients for load in run.server.loads)
        off, on = run.server.load(OFF, most), run.server.load(ON, most)
        ratio = median(off.requests_per_second) / median(on.requests_per_second)
        tiles.append((_times(ratio), f"server, {most} clients, GIL off over GIL on"))
    return [{"value": value, "label": label} for value, label in tiles]


def _stock_python(run: BenchRecord) -> str:
    found = [one.python for one in run.interpreters if one.name == STOCK]
    return f"Python {found[0]}" if found else "Python"


def _run(run: BenchRecord) -> dict[str, Any]:
    """A run, as the page shows it."""
    return {
        "record": run,
        "started": when(run.started),
        "scaling": _scaling(run) if run.threads else None,
        "single": _single(run),
        "imports": [_import(one, run) for one in run.imports],
        "offline": _offline(run) if run.offline else None,
        "server": _server(run) if run.server else None,
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
        "counts": counts,
        "rows": rows,
    }


def _panel(part: ScalingPart, counts: Sequence[int], cores: int) -> figures.Panel:
    ideal = {count: [float(count)] for count in counts if count <= cores}
    lines = [figures.Line(_IDEAL, ideal, dashed=True)] + [
        figures.Line(name, part.speedups(name), kind=_KINDS[name]) for name in (OFF, ON)
    ]
    return figures.Panel(part.name, [line for line in lines if line.points], counts)


def _cell(part: ScalingPart, contender: str, threads: int, cores: int) -> dict[str, str] | None:
    found = [point for point in part.of(contender) if point.threads == threads]
    if not found:
        return None
    speedups = part.speedups(contender)[threads]
    told = {"rate": _rate(found[0].rate), "speedup": "", "efficiency": ""}
    if threads > 1:
        ideal = min(threads, cores)
        told["speedup"] = _spread(speedups, "{:.2f}", before=_TIMES)
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
                "rates": [_rate(rates[name].rate) if name in rates else "" for name in CONTENDERS],
                "ratios": [
                    _times(rates[name].rate / ordinary.rate) if ordinary else ""
                    for name in (OFF, ON)
                ],
            }
        )
    return rows


def _import(one: Any, run: BenchRecord) -> dict[str, str]:
    stock = [median(x.seconds) for x in run.imports if x.contender == STOCK]
    ratio = _times(median(one.seconds) / stock[0]) if stock else ""
    return {
        "contender": one.contender,
        "seconds": _spread(one.seconds, "{:.1f}", after=" s"),
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
                "speed": _spread(speeds, "{:,.0f}"),
                "ratio": _times(median(speeds) / median(on[0].tokens_per_second)) if on else "",
                "load": duration(result.load_seconds),
                "memory": size(_pss(result.processes)),
                "processes": sum(process.gil is not None for process in result.processes),
            }
        )
        text = f"{median(speeds):,.0f}"
        label = f"{result.contender}, {result.mode}"
        bars.append(figures.Bar(label, median(speeds), text, kind=_KINDS[result.contender]))
    figure = figures.bars(bars, "Tokens per second offline, in the median round", "tokens/s")
    return {"rows": rows, "figure": figure}


def _server(run: BenchRecord) -> dict[str, Any]:
    server = run.server
    assert server is not None
    counts = sorted({load.clients for load in server.loads})
    rows = [
        {
            "clients": clients if name == OFF else "",
            "contender": name,
            "requests": _spread(load.requests_per_second, "{:.2f}"),
            "tokens": f"{median(load.tokens_per_second):,.0f}",
            "latencies": [_latency(x) for x in (load.ttft, load.tpot, load.itl)],
        }
        for clients in counts
        for name in CONTENDERS
        if (load := server.load(name, clients))
    ]
    panels = [
        figures.Panel(title, _load_lines(run, counts, values), counts)
        for title, values in (
            ("requests/s", lambda load: load.requests_per_second),
            ("first token, p50, ms", lambda load: [load.ttft.p50]),
            ("each further token, p50, ms", lambda load: [load.tpot.p50]),
        )
    ]
    title = "The server, by the clients that stream at once"
    return {
        "rows": rows,
        "figure": figures.panels(panels, title, "clients"),
        "one_process": server.one_process,
        "roles": _listed([p.role for p in server.servers[0].processes if p.gil is not None]),
        "starts": {one.contender: duration(one.start_seconds) for one in server.servers},
    }


def _load_lines(run: BenchRecord, counts: Sequence[int], values: Any) -> list[figures.Line]:
    lines = []
    for name in CONTENDERS:
        loads = {count: run.server.load(name, count) for count in counts}
        points = {count: values(load) for count, load in loads.items() if load}
        if points:
            lines.append(figures.Line(name, points, kind=_KINDS[name]))
    return lines


def _latency(latency: Latency) -> tuple[str, str]:
    return f"{latency.p50:,.0f}", f"{latency.p99:,.0f}"


def _memory(run: BenchRecord) -> list[dict[str, Any]]:
    """The processes of each engine and server, with their memory."""
    shown = [(f"offline, {one.mode}", one.contender, one.processes) for one in run.offline]
    servers = run.server.servers if run.server else ()
    shown += [("server", one.contender, one.processes) for one in servers]
    return [
        {
            "what": what,
            "contender": contender,
            "total": size(_pss(processes)),
            "parts": _listed(
                [f"{p.role} {size(p.pss)}" for p in processes if p.gil is not None]
                or [size(_pss(processes))]
            ),
        }
        for what, contender, processes in shown
    ]


def _settings(run: BenchRecord) -> list[tuple[str, str]]:
    wanted = run.settings
    described = [
        (one.name, f"Python {one.python}, {_state(one)}; {_versions(one.versions)}")
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
            f"{wanted.requests} requests of each client in a round, {wanted.input_tokens} tokens "
            f"in, {wanted.output_tokens} out",
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


def _trend(variant: str, runs: Sequence[BenchRecord]) -> dict[str, Any]:
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
        median(found[0].tokens_per_second) if (found := run.offline_of(name)) else None
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
        found: dict[str, dict[float, list[float]]] = {}
        for row in rows:
            if (value := values(row)) is not None:
                found.setdefault(row["series"], {})[row["number"]] = [value]
        lines = [
            figures.Line(f"series {name}", points, kind=ord(name) - ord("A"))
            for name, points in found.items()
        ]
        if lines:
            panels.append(figures.Panel(title, lines, ticks))
    return figures.panels(panels, "All runs, in their order", "run") if panels else ""


def _spread(values: Sequence[float], form: str, *, before: str = "", after: str = "") -> str:
    """The median, with the lowest and the highest round in brackets."""
    told = f"{before}{form.format(median(values))}{after}"
    if len(values) == 1:
        return told
    return f"{told} ({form.format(min(values))} to {form.format(max(values))})"


def _times(ratio: float) -> str:
    return f"{_TIMES}{ratio:.2f}"


def _rate(value: float) -> str:
    """Units in a second, in three digits."""
    factor, letter = next((one for one in ((1e6, " M"), (1e3, " k")) if value >= one[0]), (1, ""))
    shown = value / factor
    return f"{shown:.{2 if shown < 10 else 1 if shown < 100 else 0}f}{letter}"
