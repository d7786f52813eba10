"""The records of benchmark runs, and the statistics that a reader is told of them."""

from datetime import datetime
from pathlib import Path
from statistics import median

from snakedev.base.errors import UserError
from snakedev.base.records import Record
from snakedev.config.reports import BenchReport
from snakedev.reports.bench.server_record import Loaded, ServerResult
from snakedev.store.specs import BenchPin

OFF, ON, STOCK = "GIL off", "GIL on", "stock"
"""The contenders: our build without and with the GIL, and the stock wheel on an ordinary Python."""
CONTENDERS = (OFF, ON, STOCK)
_BEGAN = "%Y-%m-%dT%H%M%SZ"


def is_free(contender: str) -> bool:
    """Whether a contender, or a server that is made of it, runs with the GIL off."""
    return contender.startswith(OFF)


class Interpreter(Record):
    """A contender's Python, and the packages that it measured with."""

    name: str
    python: str
    build: str
    """What it says of itself: when and with which compiler it was built."""
    free_threaded: bool
    gil_enabled: bool
    versions: dict[str, str]


class ScalingPoint(Record):
    """A part of vLLM's front end in so many threads."""

    contender: str
    threads: int
    rates: tuple[float, ...]
    """Units in a second, of all threads together, in each round."""

    @property
    def rate(self) -> float:
        """In the median round."""
        return median(self.rates)


class ScalingPart(Record):
    """How a part of vLLM's front end scales with threads."""

    name: str
    unit: str
    """What is counted: tokens, masks."""
    points: tuple[ScalingPoint, ...]

    def of(self, contender: str) -> tuple[ScalingPoint, ...]:
        """A contender's points, from one thread up."""
        return tuple(
            sorted((p for p in self.points if p.contender == contender), key=lambda p: p.threads)
        )

    def speedups(self, contender: str) -> dict[int, tuple[float, ...]]:
        """By number of threads: each round against the median one of a single thread."""
        points = self.of(contender)
        if not points:
            return {}
        one = points[0].rate
        return {point.threads: tuple(rate / one for rate in point.rates) for point in points}

    def speedup(self, contender: str, threads: int) -> float | None:
        """In the median round; None where that was not measured."""
        rounds = self.speedups(contender).get(threads)
        return median(rounds) if rounds else None


class ImportTime(Record):
    """Importing vLLM in a fresh process."""

    contender: str
    seconds: tuple[float, ...]
    pss: int
    """Bytes of memory after it, in the median round: pages that are shared count in part."""
    rss: int


class OfflineResult(Loaded):
    """vLLM's offline engine answering a full batch."""

    mode: str
    """Whether the engine has a process of its own."""
    load_seconds: float
    tokens_per_second: tuple[float, ...]
    """New tokens of all prompts together, in each round."""


class BenchRecord(Record):
    """A benchmark run."""

    key: str
    """What was measured: environment, model, settings."""
    variant: str
    model: str
    environment_key: str
    started: str
    """When, in UTC."""
    seconds: float
    machine: dict[str, str]
    cores: int
    load_average: float
    """Processes that wanted a core in the minute before, by the kernel's count."""
    pins: dict[str, BenchPin]
    settings: BenchReport
    interpreters: tuple[Interpreter, ...]
    without_stock: str | None
    """Why no stock wheel was measured."""
    stock_patches: tuple[str, ...] | None = None
    """Of a stock wheel that was built here: those of our patches that it was built with."""
    threads: tuple[ScalingPart, ...] = ()
    imports: tuple[ImportTime, ...] = ()
    offline: tuple[OfflineResult, ...] = ()
    server: ServerResult | None = None
    work: dict[str, str] = {}
    """Repos that ran from work folders, with the folders' tree ids."""

    @property
    def busy(self) -> bool:
        """Whether the machine had other work when the run began."""
        return is_busy(self.load_average, self.cores)

    @property
    def pin(self) -> str:
        """What of vLLM was measured, in a few words."""
        vllm = self.pins.get("vllm")
        return f"{vllm.version}, source {vllm.source_key[:8]}" if vllm else "no vLLM built here"

    @property
    def where(self) -> str:
        """The machine, in a few words."""
        return f"{self.machine['cpu']}, {self.cores} cores"

    def headline_threads(self) -> int | None:
        """The number of threads that is told first: as many as there are cores, if measured."""
        counts = {point.threads for part in self.threads for point in part.points}
        fitting = [count for count in counts if 1 < count <= self.cores]
        return max(fitting, default=max((c for c in counts if c > 1), default=None))

    def offline_of(self, contender: str) -> tuple[OfflineResult, ...]:
        """A contender's offline figures, mode by mode."""
        return tuple(one for one in self.offline if one.contender == contender)


BUSY_SHARE = 0.25
"""A load average above this share of the cores disturbs what is measured."""


def is_busy(load_average: float, cores: int) -> bool:
    """Whether other work would disturb a measurement on a machine of so many cores."""
    return load_average > BUSY_SHARE * cores


def keep(record: BenchRecord, folder: Path) -> None:
    """Add the record of a run to those in a folder, named after when it began."""
    began = datetime.fromisoformat(record.started).strftime(_BEGAN)
    record.write(folder / f"{began}-{record.variant}.json")


def kept_records(folder: Path, variant: str) -> list[BenchRecord]:
    """All records of a variant, oldest first; those of an earlier form are passed over."""
    records = []
    for path in sorted(folder.glob(f"*Z-{variant}.json")):
        try:
            records.append(BenchRecord.read(path))
        except UserError:
            continue
    return records
