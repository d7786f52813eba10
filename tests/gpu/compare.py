"""Time several vLLM on one GPU in turns: `python3 compare.py FOLDER CONTENDER CONTENDER ...`.

A contender is a layer's name without `vllm-`, with settings for it: `stock`,
`upstream:PYTHON_GIL=1`. All engines are loaded at once, each with its share of the GPU's memory,
and take turns round by round, so that what else the machine does hits all of them alike. Prints a
line for each round, and one of JSON with medians, spread and the ratio to the first contender.
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import IO

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.gpu.run import end, interpreter, request, variables

_ROUNDS = Path(__file__).resolve().with_name("rounds.py")
# Room for the prompts and new tokens of SmolLM2-135M several times over.
_KV_CACHE_BYTES = 6 << 30
_CACHES = {
    "FLASHINFER_WORKSPACE_BASE",
    "TORCHINDUCTOR_CACHE_DIR",
    "TRITON_CACHE_DIR",
    "VLLM_CACHE_ROOT",
}


class Contender:
    """One engine, started and told when to work."""

    def __init__(self, text: str, number: int, folder: Path, given: Path, logs: Path):
        self.name, _, settings = text.partition(":")
        self.text, self.speeds, self.log = text, list[float](), logs / f"{number}-{self.name}.log"
        environment = variables(folder, self.name)
        # caches of its own: two of one layer would write the same at once
        for key in environment.keys() & _CACHES:
            environment[key] = str(logs / f"cache-{number}" / key)
        environment |= dict(setting.split("=", 1) for setting in settings.split(",") if setting)
        ours, theirs = socket.socketpair()
        with self.log.open("w") as log, theirs:
            self.process = subprocess.Popen(
                [interpreter(folder, self.name), _ROUNDS, given, str(theirs.fileno())],
                env=environment,
                cwd=logs,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._connection = ours
        self._lines: IO[str] = ours.makefile("rw", encoding="utf-8")

    def answer(self, seconds: float) -> dict:
        """The next line that it writes; raises RuntimeError when it ends or takes too long."""
        self._connection.settimeout(seconds)
        try:
            line = self._lines.readline()
        except TimeoutError:
            line = ""
        if not line:
            end = self.log.read_text(errors="replace")[-4000:]
            raise RuntimeError(f"{self.text}: no answer; {self.log} ends with\n{end}")
        return json.loads(line)

    def round(self) -> float:
        """Have one round done; returns tokens per second."""
        print(file=self._lines, flush=True)
        done = self.answer(120)
        self.speeds.append(done["tokens"] / done["seconds"])
        return self.speeds[-1]


def compare(options: argparse.Namespace) -> dict[str, dict[str, object]]:
    """Start all, let them take turns, and say what came of it."""
    share = {
        # what another takes at the same time would be taken for its own use of memory
        "kv_cache_memory_bytes": _KV_CACHE_BYTES,
        "gpu_memory_utilization": round(0.9 / len(options.contenders), 3),
    }
    asked = request(options.folder, share | json.loads(options.engine))
    options.logs.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as given, ExitStack() as ending:
        json.dump(asked, given)
        given.flush()
        contenders = []
        for number, text in enumerate(options.contenders):
            started = Contender(text, number, options.folder, Path(given.name), options.logs)
            ending.callback(end, started.process)
            contenders.append(started)
            if options.one_by_one:
                print(f"{text}: ready, {started.answer(options.limit)}", flush=True)
        if not options.one_by_one:
            for contender in contenders:
                print(f"{contender.text}: ready, {contender.answer(options.limit)}", flush=True)
        for number in range(1, options.rounds + 1):
            # each begins a round in its turn
            turn = number % len(contenders)
            for contender in contenders[turn:] + contenders[:turn]:
                contender.round()
            speeds = ", ".join(f"{c.text} {c.speeds[-1]:,.0f}" for c in contenders)
            print(f"round {number}, tokens/s: {speeds}", flush=True)
    first = median(contenders[0].speeds)
    return {
        contender.text: {
            "tokens_per_second": round(median(contender.speeds)),
            "lowest": round(min(contender.speeds)),
            "highest": round(max(contender.speeds)),
            "ratio": round(median(contender.speeds) / first, 2),
        }
        for contender in contenders
    }


def main() -> None:
    """Compare what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("folder", type=lambda text: Path(text).absolute())
    parser.add_argument("contenders", nargs="+", metavar="CONTENDER")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--logs", type=lambda text: Path(text).absolute(), default=Path("compared"))
    parser.add_argument("--engine", default="{}", help="JSON: arguments of vLLM's engine to change")
    parser.add_argument("--limit", type=float, default=300, help="seconds that a start may take")
    parser.add_argument(
        "--one-by-one", action="store_true", help="start an engine when the last one is ready"
    )
    options = parser.parse_args()
    print(json.dumps(compare(options)))


if __name__ == "__main__":
    main()
