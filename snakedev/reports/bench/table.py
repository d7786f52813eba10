"""The benchmark report's table: a row for each figure of each run."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

import pandas as pd

from snakedev.reports.bench.record import CONTENDERS, BenchRecord
from snakedev.reports.bench.server_record import ServerResult


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
        yield {**at, "measure": "memory (pss)", "unit": "bytes", "median": result.pss}
    yield from _of_servers(run.server) if run.server else ()


def _of_servers(result: ServerResult) -> Iterator[dict[str, Any]]:
    for server in result.servers:
        at = {"part": "server", "contender": server.contender}
        yield {**at, "measure": "start time", "unit": "s", **_told(server.start_seconds)}
    clients = {load.name: load.clients for load in result.loads}
    for one in result.measured:
        at = {"part": "server", "contender": one.contender, "mode": one.load}
        many = {"clients": clients[one.load]}
        for measure, unit, values in (
            ("requests", "requests/s", one.requests_per_second),
            ("tokens", "tokens/s", one.tokens_per_second),
            ("processor time", "s/request", one.processor_seconds),
            ("memory (pss)", "bytes", one.pss),
        ):
            yield {**at, **many, "measure": measure, "unit": unit, **_told(values)}
        for measure, latency in (("ttft", one.ttft), ("itl", one.itl)):
            for percentile in ("p50", "p99") if latency else ():
                value = getattr(latency, percentile)
                told = {"measure": f"{measure} {percentile}", "unit": "ms", "median": value}
                yield {**at, **many, **told}


def _told(values: Sequence[float]) -> dict[str, Any]:
    return {
        "median": median(values),
        "low": min(values),
        "high": max(values),
        "rounds": len(values),
    }
