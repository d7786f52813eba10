"""What the measuring programs wrote, as records."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from snakedev.base.errors import UserError
from snakedev.reports.bench.record import (
    BenchRecord,
    ImportTime,
    Interpreter,
    OfflineResult,
    ScalingPart,
    ScalingPoint,
    is_free,
)
from snakedev.reports.bench.server_record import (
    EngineProcess,
    Load,
    Loaded,
    ServerLoad,
    ServerProcesses,
    ServerResult,
    percentiles,
)


def part_results(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a BenchRecord that the parts fill, by what the program of each wrote."""
    threads, server = parts.get("threads"), parts.get("server")
    asked = server["interpreters"] if server else {}
    return {
        "interpreters": _interpreters(threads["contenders"] if threads else asked),
        "threads": _scaling(threads["parts"]) if threads else (),
        "imports": _imports(parts.get("import", {})),
        "offline": _offline(parts.get("offline", {})),
        "server": _server(server) if server else None,
    }


def refuse_wrong_gil(record: BenchRecord) -> None:
    """Raise UserError that names whose GIL was not as its name says: its figures mean nothing."""
    seen: list[tuple[str, bool | None, str]] = [
        (one.name, one.gil_enabled, "its interpreter") for one in record.interpreters
    ]
    loaded: list[Loaded] = [*record.offline]
    if record.server:
        loaded += record.server.servers
    seen += [(one.contender, p.gil, p.role) for one in loaded for p in one.processes]
    wrong = [
        f"{name}: the GIL is {'on' if gil else 'off'} in: {role}"
        for name, gil, role in seen
        if gil is not None and gil == is_free(name)
    ]
    if wrong:
        raise UserError("\n".join(dict.fromkeys(wrong)))


def _interpreters(states: Mapping[str, Any]) -> tuple[Interpreter, ...]:
    return tuple(Interpreter(name=name, **state) for name, state in states.items())


def _scaling(parts: Mapping[str, Any]) -> tuple[ScalingPart, ...]:
    return tuple(
        ScalingPart(
            name=name,
            unit=part["unit"],
            points=[
                ScalingPoint(contender=contender, threads=int(threads), rates=rates)
                for contender, counts in part["rates"].items()
                for threads, rates in counts.items()
            ],
        )
        for name, part in parts.items()
    )


def _imports(contenders: Mapping[str, Any]) -> tuple[ImportTime, ...]:
    return tuple(
        ImportTime(
            contender=contender,
            seconds=[one["seconds"] for one in rounds],
            pss=round(median(one["pss"] for one in rounds)),
            rss=round(median(one["rss"] for one in rounds)),
        )
        for contender, rounds in contenders.items()
    )


def _offline(modes: Mapping[str, Any]) -> tuple[OfflineResult, ...]:
    return tuple(
        OfflineResult(
            mode=mode,
            contender=contender,
            load_seconds=round(one["load_seconds"], 1),
            tokens_per_second=one["tokens_per_second"],
            processes=[EngineProcess(**process) for process in one["processes"]],
        )
        for mode, contenders in modes.items()
        for contender, one in contenders.items()
    )


def _server(measured: Mapping[str, Any]) -> ServerResult:
    servers = measured["contenders"]
    return ServerResult(
        loads=[Load(name=name, **load) for name, load in measured["loads"].items()],
        measured=[
            _server_load(contender, load, rounds)
            for contender, one in servers.items()
            for load, rounds in one["loads"].items()
        ],
        servers=[
            ServerProcesses(
                contender=contender,
                start_seconds=[round(seconds, 1) for seconds in one["start_seconds"]],
                processes=[EngineProcess(**process) for process in one["processes"]],
            )
            for contender, one in servers.items()
        ],
        left_out=measured["left_out"],
    )


def _server_load(contender: str, load: str, rounds: Sequence[Mapping[str, Any]]) -> ServerLoad:
    ttfts = [ttft for one in rounds for ttft in one["ttfts"]]
    itls = [gap for one in rounds for gaps in one["itls"] for gap in gaps]
    return ServerLoad(
        contender=contender,
        load=load,
        requests_per_second=[one["requests"] / one["seconds"] for one in rounds],
        tokens_per_second=[one["tokens"] / one["seconds"] for one in rounds],
        processor_seconds=[one["processor_seconds"] / one["requests"] for one in rounds],
        pss=[one["pss"] for one in rounds],
        ttft=percentiles(ttfts) if ttfts else None,
        itl=percentiles(itls) if itls else None,
        client_share=max(one["client_share"] for one in rounds),
    )
