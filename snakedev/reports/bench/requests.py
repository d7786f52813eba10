"""What the measuring programs of snakedev/inside/bench are asked, part by part."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snakedev.config.reports import BenchReport, Prompt, Throughput
from snakedev.inference import engine
from snakedev.reports.bench.record import OFF, ON, STOCK

MODES: Mapping[str, Mapping[str, str]] = {
    "own process": {},
    "one process": {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"},
}
"""Where the offline engine runs, with the variables that put it there."""
PROGRAMS = {"threads": "scaling", "import": "importing", "offline": "offline", "server": "serving"}
"""The program of each part."""
_PROMPTS = ("The capital of France is", "Once upon a time, there was a little girl who")

Contender = dict[str, Any]
"""A name, a Python and variables, as the measuring programs take them."""


def part_request(
    part: str,
    settings: BenchReport,
    model: Path,
    arguments: Mapping[str, Any],
    contenders: Sequence[Contender],
) -> dict[str, Any]:
    """What the program of a part is asked, but for the folder of its logs.

    ``arguments`` are those that an engine is made with, for the model in a folder.
    """
    match part:
        case "threads":
            wanted = _threads(settings, model, contenders)
        case "import":
            wanted = {"contenders": contenders}
        case "offline":
            wanted = _offline(settings, model, arguments, contenders)
        case _:
            wanted = _server(settings, model, arguments, contenders)
    return {"rounds": settings.rounds, **wanted}


def _threads(settings: BenchReport, model: Path, contenders: Sequence[Contender]) -> dict[str, Any]:
    return {
        "model": str(model),
        "threads": settings.threads,
        "seconds": settings.seconds,
        # on the ordinary Python one thread tells what free-threading costs
        "contenders": [{**one, "single": one["name"] == STOCK} for one in contenders],
    }


def _offline(
    settings: BenchReport,
    model: Path,
    arguments: Mapping[str, Any],
    contenders: Sequence[Contender],
) -> dict[str, Any]:
    timed = Throughput(prompts=settings.prompts, tokens=settings.tokens)
    prompts = [Prompt(text=text) for text in _PROMPTS]
    return {
        "answer": json.loads(engine.request(prompts, 1, timed, model, arguments)),
        "modes": MODES,
        "contenders": contenders,
    }


def _server(
    settings: BenchReport,
    model: Path,
    arguments: Mapping[str, Any],
    contenders: Sequence[Contender],
) -> dict[str, Any]:
    wanted = settings.server
    # the yardstick is the first, with which all others are compared
    ordered = sorted(contenders, key=lambda one: (STOCK, ON, OFF).index(one["name"]))
    first = ordered[0]["name"]
    return {
        "model": str(model),
        "arguments": arguments,
        "loads": wanted.loads,
        "seconds": wanted.seconds,
        "rounds": wanted.rounds,
        "contenders": [
            {
                **one,
                **_compute_threads(one["variables"]),
                "api_servers": wanted.api_servers if one["name"] == first else [1],
                "loops": wanted.loops if one["name"] == OFF else [],
            }
            for one in ordered
        ],
    }


def _compute_threads(variables: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What makes as many threads compute on a CPU wherever the engine is.

    vLLM keeps a core free for the front end where an engine has a process of its own, and leaves
    torch all of them where it has none.
    """
    own = dict(variables)
    bound = own.pop("VLLM_CPU_OMP_THREADS_BIND", None)
    if bound is None:
        return {"variables": own}
    threads = max(1, len(bound.split(",")) - 1)
    return {"variables": own, "loops_variables": {"OMP_NUM_THREADS": str(threads)}}
