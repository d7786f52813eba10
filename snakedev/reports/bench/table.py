"""The benchmark report's table: a row for each figure of each run."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

import pandas as pd

from snakedev.reports.bench.record import CONTENDERS, BenchRecord


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
    for server in run.server.servers if run.server else ():
        at = {"part": "server", "contender": server.contender}
        yield {**at, "measure": "start time", "unit": "s", "median": server.start_seconds}
        yield {**at, "measure": "memory (pss)", "unit": "bytes", "median": server.pss}
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
