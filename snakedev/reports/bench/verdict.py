"""Whether free threading pays for a server: the best that it gives beside the best without it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from snakedev.reports.bench.record import ON, STOCK, is_free
from snakedev.reports.bench.server_record import Load, ServerLoad, ServerResult, fastest
from snakedev.reports.html import listed, size, times

WORTH = 1.1
"""So many times the speed are told as a gain; of a server, if no round denies it."""
_ALIKE = 0.95
_LESS_MEMORY = 0.8
"""With as many requests, so much of the memory is told as a gain."""


@dataclass(frozen=True)
class Comparison:
    """The fastest server with the GIL off under a load, beside the fastest of all others."""

    load: Load
    free: ServerLoad
    other: ServerLoad

    @property
    def ratio(self) -> float:
        """Requests per second, in the median of the rounds."""
        return median(self.free.ratios(self.other))

    @property
    def memory(self) -> float:
        """Memory of all processes."""
        return median(self.free.pss) / median(self.other.pss)

    @property
    def pays(self) -> bool:
        """Whether it answers more requests, in every round."""
        return self.ratio >= WORTH and min(self.free.ratios(self.other)) > 1

    @property
    def saves(self) -> bool:
        """Whether it answers as many, in less memory."""
        return self.ratio >= _ALIKE and self.memory <= _LESS_MEMORY


def comparisons(server: ServerResult) -> list[Comparison]:
    """By load, the one with the highest ratio first; none where there is nothing to compare."""
    found = []
    for load in server.loads:
        servers = server.of_load(load.name)
        free = [one for one in servers if is_free(one.contender)]
        others = [one for one in servers if not is_free(one.contender)]
        if free and others:
            found.append(Comparison(load, fastest(free), fastest(others)))
    return sorted(found, key=lambda one: -one.ratio)


def verdict(server: ServerResult) -> str:
    """In a sentence: whether it pays, at which load, by how much, against which server."""
    compared = comparisons(server)
    if not compared:
        return "No servers were measured that differ in the GIL alone."
    first = _first(compared)
    told = (
        f"{times(first.ratio)} the requests per second of {_named(first.other.contender)}, "
        f"under the load “{first.load.name}”"
    )
    if first.pays:
        return f"For a server, free threading pays: {told}."
    if any(one.saves for one in compared):
        return f"For a server, free threading saves memory, and no time: at best {told}."
    return f"For a server, free threading does not pay: at best {told}."


def further(server: ServerResult) -> str:
    """What server gave that, what the other loads gave, and what memory it took."""
    compared, said = comparisons(server), list[str]()
    if compared:
        said.append(f"That is “{_first(compared).free.contender}”.")
    if others := [one for one in compared if one is not _first(compared)]:
        told = [f"{times(one.ratio)} under “{one.load.name}”" for one in others]
        said.append(f"Beside the best without, the best with the GIL off makes {listed(told)}.")
    first = server.servers[0].contender
    if alone := [one for one in compared if one.other.contender != first]:
        told = [f"{times(_over(one, server, first))} under “{one.load.name}”" for one in alone]
        said.append(f"Beside {_named(first)} with one API server process it makes {listed(told)}.")
    if compared:
        one = min(compared, key=lambda one: one.memory)
        ours, theirs = (size(round(median(one.pss))) for one in (one.free, one.other))
        said.append(f"All processes together take {ours} instead of {theirs}.")
    return " ".join(said)


def _over(one: Comparison, server: ServerResult, contender: str) -> float:
    """Of the fastest with the GIL off, beside another than the fastest without."""
    other = server.under(contender, one.load.name)
    assert other is not None
    return median(one.free.ratios(other))


def _first(compared: Sequence[Comparison]) -> Comparison:
    """What is told first: of those that pay, or else of all, the one that gives most."""
    return next((one for one in compared if one.pays), compared[0])


def _named(contender: str) -> str:
    return contender.replace(STOCK, "the stock wheel", 1).replace(ON, "ours with the GIL on", 1)
