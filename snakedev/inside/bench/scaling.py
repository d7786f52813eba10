"""How far Python threads scale in what vLLM's front end does: `scaling.py REQUEST RESULT`, JSON.

Runs inside a run environment, on any machine that has one: `python3.14t scaling.py REQUEST RESULT`.
REQUEST holds `model` (a model's folder) and, if wanted, `threads` (null: the machine's cores),
`rounds`, `seconds` (of a round), `parts`, `variables` for all, `folder` for logs, and `contenders`:
each a `name`, a `python`, `variables`, and whether it is measured in one thread only (`single`).
Without them this interpreter is measured against itself, with the GIL off and on.

Weak scaling: every thread has the same work, as much as lets a round take about `seconds`, and
what counts is how much all threads together get done in a second. The contenders take turns, round
by round. Nothing but Python's threads may scale: the libraries' own thread pools are switched off.
RESULT is written after each part.
"""

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[3]))

from snakedev.base.cpu import processor
from snakedev.inside.bench.turns import Contender, program, rotated, say

ONE_THREAD = MappingProxyType(
    {
        "TOKENIZERS_PARALLELISM": "false",
        "RAYON_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
)
"""What switches the libraries' own threads off."""
PARTS = MappingProxyType(
    {
        "tokenise": "tokens",
        "detokenise": "tokens",
        "chat template": "conversations",
        "masks (xgrammar)": "masks",
        "masks (llguidance)": "masks",
        "images (pages)": "images",
        "images (thumbnails)": "images",
    }
)
"""What is measured, and what is counted of it."""
_THREADS = Path(__file__).with_name("threads.py").resolve()
_LOAD_SECONDS = 600
_SHORTEST_CALIBRATION = 0.25
"""Of a round's seconds: a shorter one says little of how long a longer one would take."""


def main(request_file: Path, result_file: Path) -> None:
    """Measure what the request asks, in turns, and write the result."""
    request = json.loads(request_file.read_bytes())
    rounds, seconds = request.get("rounds", 5), request.get("seconds", 1.0)
    cores = len(os.sched_getaffinity(0))
    counts = thread_counts(request.get("threads"), cores)
    parts = request.get("parts") or list(PARTS)
    wanted = request.get("contenders") or [
        {"name": f"GIL {state}", "python": sys.executable, "variables": {"PYTHON_GIL": setting}}
        for state, setting in (("off", "0"), ("on", "1"))
    ]
    result: dict[str, Any] = {
        "cores": cores,
        "cpu": processor(),
        "threads": counts,
        "seconds": seconds,
        "rounds": rounds,
        "contenders": {},
        "parts": {},
    }
    with tempfile.TemporaryDirectory(prefix="snakedev-scaling-") as scratch, ExitStack() as ending:
        logs = Path(request.get("folder") or scratch)
        worker_request = logs / "scaling-worker.json"
        worker_request.write_text(json.dumps({"model": request["model"], "threads": max(counts)}))
        contenders = []
        for number, one in enumerate(wanted):
            started = Contender(
                one["name"],
                [one["python"], _THREADS, worker_request],
                {**os.environ, **request.get("variables", {}), **one["variables"], **ONE_THREAD},
                logs / f"scaling-{number}.log",
                logs,
            )
            ending.callback(started.end)
            result["contenders"][one["name"]] = started.answer(_LOAD_SECONDS)
            say(f"{one['name']}: ready")
            contenders.append((started, counts[:1] if one.get("single") else counts))
        for part in parts:
            result["parts"][part] = _measured(part, contenders, rounds, seconds)
            result_file.write_text(json.dumps(result), encoding="utf-8")


def thread_counts(limit: int | None, cores: int) -> list[int]:
    """Powers of two up to the cores, the cores, and twice as many where they are few; or up to a
    limit, and the limit."""
    most = limit or (2 * cores if cores <= 8 else cores)
    powers = [1 << power for power in range(most.bit_length())]
    return sorted({*powers, most, *([cores] if cores <= most else [])})


def _measured(
    part: str, contenders: Sequence[tuple[Contender, Sequence[int]]], rounds: int, seconds: float
) -> dict[str, Any]:
    """Units in a second by contender and number of threads, a figure for each round."""
    say(f"{part}: finding out how much a round holds")
    cells = [
        {"contender": one, "threads": threads, "items": _calibrated(one, part, threads, seconds)}
        for one, counts in contenders
        for threads in counts
    ]
    rates: dict[str, dict[int, list[float]]] = {}
    for number in range(rounds):
        for cell in rotated(cells, number):
            one, threads = cell["contender"], cell["threads"]
            turn = {"part": part, "threads": threads, "items": cell["items"]}
            done = one.ask(turn, _limit(seconds))
            rates.setdefault(one.name, {}).setdefault(threads, []).append(
                done["units"] / done["seconds"]
            )
        say(f"{part}: round {number + 1} of {rounds}")
    return {
        "unit": PARTS[part],
        "rates": rates,
        "items": {
            one.name: {c["threads"]: c["items"] for c in cells if c["contender"] is one}
            for one, _ in contenders
        },
    }


def _calibrated(one: Contender, part: str, threads: int, seconds: float) -> int:
    """How many items a thread does in a round of about so many seconds; also the warm-up."""
    items = 1
    while True:
        turn = {"part": part, "threads": threads, "items": items}
        # of two: the first one in so many threads can take many times as long as those after it
        took = min(one.ask(turn, _limit(seconds))["seconds"] for _ in range(2))
        if took >= _SHORTEST_CALIBRATION * seconds:
            return max(1, round(items * seconds / took))
        items = max(2 * items, round(items * 0.5 * seconds / took))


def _limit(seconds: float) -> float:
    return 60 + 100 * seconds


if __name__ == "__main__":
    program(main)
