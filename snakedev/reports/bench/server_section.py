"""The servers of a benchmark run, as the page shows them."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from snakedev.reports import figures
from snakedev.reports.bench.record import OFF, ON, STOCK, BenchRecord
from snakedev.reports.bench.server_record import Latency, Load, ServerLoad, ServerResult
from snakedev.reports.html import duration, listed, size, times

_CLIENT_BUSY = 0.9
"""Of a core: a client that takes more of it may have been the limit."""


def server_section(run: BenchRecord) -> dict[str, Any] | None:
    """Figure and table of each load, and what is to be said of all; None without servers."""
    server = run.server
    if server is None:
        return None
    builds: dict[str, list[str]] = {}
    for one in run.interpreters:
        builds.setdefault(one.build, []).append(one.name)
    return {
        "loads": [_load(server, load) for load in server.loads],
        "left_out": server.left_out,
        "first": server.servers[0].contender,
        "builds": [f"{listed(names)}: Python {build}" for build, names in builds.items()],
        "rounds": run.settings.server.rounds,
    }


def _load(server: ServerResult, load: Load) -> dict[str, Any]:
    servers = server.of_load(load.name)
    starts = {one.contender: one.start_seconds for one in server.servers}
    limited = [one.contender for one in servers if one.client_share > _CLIENT_BUSY]
    title = f"Requests per second under the load {load.name}, in the median round"
    return {
        "load": load,
        "figure": figures.bars([_bar(one) for one in servers], title, "requests/s"),
        "rows": [_row(one, servers[0], starts) for one in servers],
        "limited": listed(limited) if limited else "",
    }


def _bar(one: ServerLoad) -> figures.Bar:
    speed = median(one.requests_per_second)
    return figures.Bar(one.contender, speed, _rate(speed), kind=_kind(one.contender))


def _kind(contender: str) -> int:
    """The colour: that of the contender that a server is made of."""
    return next(n for n, name in enumerate((OFF, ON, STOCK)) if contender.startswith(name))


def _row(one: ServerLoad, first: ServerLoad, starts: Mapping[str, Any]) -> dict[str, Any]:
    rates = one.requests_per_second
    return {
        "contender": one.contender,
        "requests": _rate(median(rates)),
        "range": f"{_rate(min(rates))} to {_rate(max(rates))}" if len(rates) > 1 else "",
        "ratio": "1" if one is first else times(median(one.ratios(first))),
        "ttft": _latency(one.ttft),
        "itl": _latency(one.itl),
        "processor": f"{1e3 * median(one.processor_seconds):,.1f}",
        "memory": size(round(median(one.pss))),
        "start": duration(median(starts[one.contender])),
    }


def _rate(value: float) -> str:
    return f"{value:,.2f}" if value < 10 else f"{value:,.1f}"


def _latency(latency: Latency | None) -> tuple[str, str]:
    if latency is None:
        return "", ""
    form = "{:,.1f}" if latency.p50 < 10 else "{:,.0f}"
    return form.format(latency.p50), f"p99 {form.format(latency.p99)}"
