"""Records of benchmark runs, and their report as it was written."""

from pathlib import Path
from typing import Any

import pandas as pd
from bs4 import BeautifulSoup, Tag

from snakedev.config.reports import BenchReport
from snakedev.reports.bench.page import BenchReportRecord, write_report
from snakedev.reports.bench.record import (
    OFF,
    ON,
    STOCK,
    BenchRecord,
    ImportTime,
    Interpreter,
    OfflineResult,
    ScalingPart,
    ScalingPoint,
)
from snakedev.reports.bench.server_record import (
    EngineProcess,
    Latency,
    Load,
    ServerLoad,
    ServerProcesses,
    ServerResult,
)
from snakedev.store.specs import BenchPin

TIMES = "\N{MULTIPLICATION SIGN}"


def part(name: str, off: float, on: float) -> ScalingPart:
    """A part that does 1000 a second in one thread, and so many times that in two."""
    points = [
        ScalingPoint(contender=OFF, threads=2, rates=[900 * off, 1000 * off, 1200 * off]),
        ScalingPoint(contender=OFF, threads=1, rates=[1000, 990, 1010]),
        ScalingPoint(contender=ON, threads=1, rates=[1000, 1000, 1000]),
        ScalingPoint(contender=ON, threads=2, rates=[1000 * on] * 3),
        ScalingPoint(contender=OFF, threads=4, rates=[1000 * off] * 3),
        ScalingPoint(contender=ON, threads=4, rates=[1000 * on] * 3),
        ScalingPoint(contender=STOCK, threads=1, rates=[1250, 1250, 1250]),
    ]
    return ScalingPart(name=name, unit="tokens", points=points)


def process(role: str, gil: bool | None, pss: int = 500_000_000) -> EngineProcess:
    return EngineProcess(role=role, gil=gil, rss=pss, pss=pss, threads=4)


def offline(contender: str, mode: str, speed: float) -> OfflineResult:
    return OfflineResult(
        mode=mode,
        contender=contender,
        load_seconds=30,
        tokens_per_second=[speed - 10, speed, speed + 20],
        processes=[process("front end", contender != OFF), process("resource tracker", None)],
    )


def under(contender: str, load: str, requests: float, gb: float = 3, **more: Any) -> ServerLoad:
    """A server that answers so many requests a second, in three rounds."""
    values = {
        "contender": contender,
        "load": load,
        "requests_per_second": [requests, 0.9 * requests, 1.1 * requests],
        "tokens_per_second": [32 * requests] * 3,
        "processor_seconds": [2 / requests] * 3,
        "pss": [round(gb * 1e9)] * 3,
        "ttft": Latency(p50=120, p99=1900, count=12),
        "itl": None if load == "embeddings" else Latency(p50=4.25, p99=95, count=372),
        "client_share": 0.5,
    }
    return ServerLoad(**{**values, **more})


def servers(*measured: ServerLoad, **more: Any) -> ServerResult:
    """A result of loads that servers were measured under."""
    names = dict.fromkeys(one.contender for one in measured)
    values = {
        "loads": [
            Load(name=n, what=n, clients=32, requests=64, input_tokens=16, output_tokens=4)
            for n in dict.fromkeys(one.load for one in measured)
        ],
        "measured": measured,
        "servers": [
            ServerProcesses(
                contender=name,
                start_seconds=[40, 41, 45],
                processes=[process("front end", OFF not in name), process("other", None)],
            )
            for name in names
        ],
        "left_out": {},
    }
    return ServerResult(**{**values, **more})


def record(**more: Any) -> BenchRecord:
    names = (OFF, ON, STOCK)
    values = {
        "key": "0123456789abcdef",
        "variant": "cpu",
        "model": "smollm2-135m",
        "environment_key": "fedcba9876543210",
        "started": "2024-05-06T07:08:09+00:00",
        "seconds": 700.0,
        "machine": {"cpu": "Z80", "memory": "64 KiB"},
        "cores": 2,
        "load_average": 0.1,
        "pins": {"vllm": BenchPin(version="0.26.0", source_key="ab" * 8, patches=6)},
        "settings": BenchReport(rounds=3),
        "interpreters": [
            Interpreter(
                name=name,
                python="3.11.7" if name == STOCK else "3.14.9",
                build="3.14.9 free-threading build [GCC 10.2.1]",
                free_threaded=name != STOCK,
                gil_enabled=name != OFF,
                versions={"vllm": "0.26.0"},
            )
            for name in names
        ],
        "without_stock": None,
        "threads": [part("tokenise", 2.0, 1.0), part("masks (xgrammar)", 1.28, 1.0)],
        "imports": [
            ImportTime(contender=n, seconds=[10, 11, 12], pss=900_000_000, rss=1) for n in names
        ],
        "offline": [
            *(
                offline(name, "own process", speed)
                for name, speed in zip(names, (200, 190, 220), strict=True)
            ),
            *(offline(name, "one process", 250) for name in names),
        ],
        "server": None,
    }
    return BenchRecord(**{**values, **more})


class Written:
    """A report as it was written: its record, its page and its table."""

    def __init__(self, folder: Path, *runs: BenchRecord):
        runs = runs or (record(),)
        reports = folder / "reports"
        self.record: BenchReportRecord = write_report(runs[-1:], {"cpu": runs}, reports)
        self.page = BeautifulSoup((reports / "bench.html").read_bytes(), "html.parser")
        self.table = pd.read_csv(reports / "bench.csv", keep_default_na=False)

    @property
    def text(self) -> str:
        return words(self.page.body)

    @property
    def rows(self) -> list[list[str]]:
        return [[words(cell) for cell in row.select("th, td")] for row in self.page.select("tr")]


def words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())
