"""What a benchmark report says first: what running without the GIL gives."""

from statistics import geometric_mean, median

from snakedev.reports.bench.record import CONTENDERS, OFF, ON, STOCK, BenchRecord
from snakedev.reports.bench.verdict import WORTH, comparisons, further, verdict
from snakedev.reports.html import listed, times


def headline(run: BenchRecord) -> str:
    """The verdict in a sentence: whether it pays for a server, or else what it gives."""
    if run.server:
        return verdict(run.server)
    if gains := _gains(run):
        return gains
    if run.offline:
        one, other = run.offline_of(OFF)[0], run.offline_of(ON)[0]
        return (
            f"Offline, vLLM writes {median(one.tokens_per_second):,.0f} tokens/s with the GIL off "
            f"against {median(other.tokens_per_second):,.0f} with it on."
        )
    off, on = (median(x.seconds) for x in run.imports[:2])
    return f"Importing vLLM takes {off:.1f} s with the GIL off against {on:.1f} s with it on."


def state(run: BenchRecord) -> str:
    """The verdict's colour: whether a server, or else threads, gain from the GIL's being off; plain
    where there is nothing to judge."""
    if run.server:
        return "good" if any(one.pays for one in comparisons(run.server)) else "warned"
    threads = run.headline_threads()
    if not threads:
        return "plain"
    off, on = (overall(run, name, threads) for name in (OFF, ON))
    return "good" if off and on and off > WORTH * on else "warned"


def _gains(run: BenchRecord) -> str | None:
    """What threads give; None where they were not measured."""
    threads = run.headline_threads()
    if threads and (off := overall(run, OFF, threads)) and (on := overall(run, ON, threads)):
        gains = f"{times(off)} with the GIL off against {times(on)} with it on"
        return f"{threads} threads give {gains}."
    return None


def overall(run: BenchRecord, contender: str, threads: int) -> float | None:
    """The geometric mean of the parts' speed-ups in so many threads; None where none is known."""
    speedups = [part.speedup(contender, threads) for part in run.threads]
    known = [one for one in speedups if one]
    return geometric_mean(known) if known else None


def single_thread(run: BenchRecord, contender: str, against: str) -> float | None:
    """What one thread of a contender does, in parts of what another's does: the geometric mean."""
    ratios = []
    for part in run.threads:
        ours, theirs = part.of(contender), part.of(against)
        if ours and theirs:
            ratios.append(ours[0].rate / theirs[0].rate)
    return geometric_mean(ratios) if ratios else None


def summary(run: BenchRecord) -> str:
    """What the headline is of, and what a user of vLLM has of it."""
    said = []
    if run.server:
        said.append(further(run.server))
        said.append(_gains(run) or "")
    if run.headline_threads():
        said.append(
            f"That is the geometric mean over {len(run.threads)} parts of the front end of vLLM, "
            f"each in one process on {run.where}."
        )
    offline = {name: run.offline_of(name) for name in CONTENDERS}
    # unless the headline says it
    if run.offline and said:
        told = [
            f"{median(modes[0].tokens_per_second):,.0f} ({_with(name)})"
            for name, modes in offline.items()
            if modes
        ]
        said.append(f"Offline, vLLM writes {listed(told)} tokens in a second.")
    return " ".join(filter(None, said))


def tiles(run: BenchRecord) -> list[tuple[str, str]]:
    """The few numbers that a person looks for first, each with what it is of."""
    pairs = []
    for compared in comparisons(run.server) if run.server else ():
        name = compared.load.name
        pairs.append((times(compared.ratio), f"requests/s, {name}, GIL off over the best without"))
    if threads := run.headline_threads():
        for name in (OFF, ON):
            if gain := overall(run, name, threads):
                pairs.append((times(gain), f"{threads} threads over one, {name}"))
    if cost := single_thread(run, OFF, STOCK):
        pairs.append((times(cost), f"one thread, GIL off over ordinary {_stock_python(run)}"))
    elif cost := single_thread(run, OFF, ON):
        pairs.append((times(cost), "one thread, GIL off over GIL on"))
    if run.offline:
        one, other = run.offline_of(OFF)[0], run.offline_of(ON)[0]
        ratio = median(one.tokens_per_second) / median(other.tokens_per_second)
        pairs.append((times(ratio), "tokens/s offline, GIL off over GIL on"))
    return pairs


def _with(contender: str) -> str:
    return "stock wheel" if contender == STOCK else contender


def _stock_python(run: BenchRecord) -> str:
    versions = [one.python for one in run.interpreters if one.name == STOCK]
    return f"Python {versions[0]}" if versions else "Python"
