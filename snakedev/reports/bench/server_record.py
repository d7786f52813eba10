"""What a benchmark run's record says of servers, and how they are compared."""

from collections.abc import Iterable
from operator import truediv
from statistics import median

import numpy

from snakedev.base.records import Record


class EngineProcess(Record):
    """A process of an engine or a server, when the work was done."""

    role: str
    gil: bool | None
    """Whether its GIL was on; None for a process without vLLM."""
    rss: int
    pss: int
    threads: int


class Loaded(Record):
    """An engine or a server, with its processes when the work was done."""

    contender: str
    processes: tuple[EngineProcess, ...]

    @property
    def pss(self) -> int:
        """Bytes of memory of all its processes."""
        return sum(process.pss for process in self.processes)


class Latency(Record):
    """Percentiles over all rounds, in milliseconds."""

    p50: float
    p99: float
    count: int
    """How many were measured."""


def percentiles(seconds: Iterable[float]) -> Latency:
    """The latency of what took so many seconds each; raises ValueError for none."""
    measured = [*seconds]
    if not measured:
        raise ValueError("no latencies")
    p50, p99 = numpy.percentile(measured, [50, 99])
    return Latency(p50=1e3 * float(p50), p99=1e3 * float(p99), count=len(measured))


class Load(Record):
    """What clients ask of a server, all servers alike."""

    name: str
    what: str
    clients: int
    """How many stream at once."""
    requests: int
    """Of all clients together, in a round."""
    input_tokens: int
    output_tokens: int


class ServerLoad(Record):
    """A server under a load; a figure for each round."""

    contender: str
    load: str
    requests_per_second: tuple[float, ...]
    tokens_per_second: tuple[float, ...]
    """New ones; of embeddings, those of the prompts."""
    processor_seconds: tuple[float, ...]
    """Of all its processes, for each request."""
    pss: tuple[int, ...]
    """Bytes of memory of all its processes, after the load."""
    ttft: Latency | None
    """From a request to its first token; of embeddings, to the answer."""
    itl: Latency | None
    """Between one token and the next."""
    client_share: float
    """What of a core the process had that made the load, at the most: where that is all of one, the
    server could have done more."""

    def ratios(self, other: "ServerLoad") -> tuple[float, ...]:
        """Requests per second beside another server's, round by round."""
        return tuple(map(truediv, self.requests_per_second, other.requests_per_second))


class ServerProcesses(Loaded):
    """A server's processes, when the last round was done."""

    start_seconds: tuple[float, ...]
    """Until it answered, in each round."""


class ServerResult(Record):
    """vLLM's OpenAI-compatible server, started in several ways."""

    loads: tuple[Load, ...]
    measured: tuple[ServerLoad, ...]
    servers: tuple[ServerProcesses, ...]
    """The first is what all others are compared with."""
    left_out: dict[str, str]
    """By the names of servers that this vLLM cannot be: why."""

    def under(self, contender: str, load: str) -> ServerLoad | None:
        """A server under a load, where it was measured."""
        found = (x for x in self.measured if (x.contender, x.load) == (contender, load))
        return next(found, None)

    def of_load(self, load: str) -> tuple[ServerLoad, ...]:
        """All servers under a load, in their order."""
        return tuple(one for one in self.measured if one.load == load)


def fastest(servers: Iterable[ServerLoad]) -> ServerLoad:
    """The one that answers most requests in the median round; raises ValueError for none."""
    return max(servers, key=lambda one: median(one.requests_per_second))
