"""Time several vLLM on one GPU in turns: `python3 compare.py FOLDER CONTENDER CONTENDER ...`.

A contender is a layer's name without `vllm-`, with settings for it: `stock`,
`upstream:PYTHON_GIL=1`. All engines are loaded at once, each with its share of the GPU's memory,
and take turns round by round, so that what else the machine does hits all of them alike. Prints a
line for each round, and one of JSON with medians, spread and the ratio to the first contender: the
median of the rounds' ratios, which are steadier than the speeds.
"""

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from operator import truediv
from pathlib import Path
from statistics import median

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from snakedev.inside.bench.turns import Contender, TurnError, rotated
from tools.gpu.run import interpreter, layer_and_settings, request, variables

_ENGINE = Path(__file__).resolve().parents[2] / "snakedev" / "inside" / "bench" / "engine.py"
_ROUND_SECONDS = 120
# Room for the prompts and new tokens of SmolLM2-135M several times over.
_KV_CACHE_BYTES = 6 << 30
_CACHES = {
    "FLASHINFER_WORKSPACE_BASE",
    "TORCHINDUCTOR_CACHE_DIR",
    "TRITON_CACHE_DIR",
    "VLLM_CACHE_ROOT",
}


class Engine(Contender):
    """An engine of a layer, started and told when to work."""

    def __init__(self, text: str, number: int, folder: Path, given: Path, logs: Path):
        layer, settings = layer_and_settings(text)
        environment = variables(folder, layer)
        # caches of its own: two of one layer would write the same at once
        for key in environment.keys() & _CACHES:
            environment[key] = str(logs / f"cache-{number}" / key)
        environment |= settings
        self.speeds = list[float]()
        self.ready = False
        command = [interpreter(folder, layer), _ENGINE, given]
        super().__init__(text, command, environment, logs / f"{number}-{layer}.log", logs)

    def round(self) -> float:
        """Have one round done; returns tokens per second."""
        done = self.ask({}, _ROUND_SECONDS)
        self.speeds.append(done["tokens"] / done["seconds"])
        return self.speeds[-1]


def compare(options: argparse.Namespace) -> dict[str, dict[str, object]]:
    """Start all, let them take turns, and say what came of it."""
    share = {
        # what another takes at the same time would be taken for its own use of memory
        "kv_cache_memory_bytes": _KV_CACHE_BYTES,
        "gpu_memory_utilization": round(0.9 / len(options.contenders), 3),
    }
    asked = request(options.folder, share | json.loads(options.engine), options.model)
    options.logs.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as given, ExitStack() as ending:
        json.dump(asked, given)
        given.flush()
        contenders = []
        for number, text in enumerate(options.contenders):
            started = Engine(text, number, options.folder, Path(given.name), options.logs)
            ending.callback(started.end)
            contenders.append(started)
            if options.one_by_one:
                _await(started, options)
        for contender in contenders if not options.one_by_one else ():
            _await(contender, options)
        contenders = [contender for contender in contenders if contender.ready]
        began = time.monotonic()
        for number in range(1, options.rounds + 1):
            if time.monotonic() - began > options.seconds:
                break
            for contender in rotated(contenders, number):
                contender.round()
            speeds = ", ".join(f"{c.name} {c.speeds[-1]:,.0f}" for c in contenders)
            print(f"round {number}, tokens/s: {speeds}", flush=True)
    first = contenders[0].speeds
    return {
        contender.name: {
            "tokens_per_second": round(median(contender.speeds)),
            "lowest": round(min(contender.speeds)),
            "highest": round(max(contender.speeds)),
            "ratio": round(median(map(truediv, contender.speeds, first)), 3),
            "rounds": [round(speed) for speed in contender.speeds],
        }
        for contender in contenders
    }


def _await(contender: Engine, options: argparse.Namespace) -> None:
    try:
        said = contender.answer(options.limit)
    except TurnError as error:
        if not options.keep_going:
            raise
        print(error, flush=True)
    else:
        contender.ready = True
        print(f"{contender.name}: ready, {said}", flush=True)


def main() -> None:
    """Compare what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("folder", type=lambda text: Path(text).absolute())
    parser.add_argument("contenders", nargs="+", metavar="CONTENDER")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--logs", type=lambda text: Path(text).absolute(), default=Path("compared"))
    parser.add_argument("--engine", default="{}", help="JSON: arguments of vLLM's engine to change")
    parser.add_argument("--model", type=lambda text: Path(text).absolute())
    parser.add_argument("--limit", type=float, default=300, help="seconds that a start may take")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="after which no round begins"
    )
    parser.add_argument(
        "--keep-going", action="store_true", help="without an engine that does not start"
    )
    parser.add_argument(
        "--one-by-one", action="store_true", help="start an engine when the last one is ready"
    )
    options = parser.parse_args()
    print(json.dumps(compare(options)))


if __name__ == "__main__":
    main()
