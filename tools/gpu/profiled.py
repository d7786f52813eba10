"""`answer.py` with the engine in its own process, and its timed part under cProfile.

`python profiled.py REQUEST RESULT PROFILE`: run.py starts it for `--profile`. Beside the profile it
counts what the garbage collector took of the timed part, which cProfile does not see.
"""

import cProfile
import gc
import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

_ANSWER = Path(__file__).resolve().parents[2] / "snakedev" / "inside" / "answer.py"


class Collections:
    """Counts the runs of the garbage collector, and the seconds that they take."""

    def __init__(self) -> None:
        self.runs, self.seconds, self._started = 0, 0.0, 0.0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._started = time.perf_counter()
        else:
            self.runs += 1
            self.seconds += time.perf_counter() - self._started


def load() -> ModuleType:
    """The module of the inference."""
    spec = importlib.util.spec_from_file_location("answer", _ANSWER)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(request: Path, result: Path, written: Path) -> None:
    """Run it; the profile goes to ``written``, what the collector took beside it."""
    answer = load()
    timed, profile, collections = answer._throughput, cProfile.Profile(), Collections()

    def profiled(*arguments: Any) -> dict[str, Any]:
        plain = timed(*arguments)
        gc.callbacks.append(collections)
        counted = timed(*arguments)
        gc.callbacks.remove(collections)
        profile.runcall(timed, *arguments)
        written.with_suffix(".gc.json").write_text(
            json.dumps(
                {
                    "runs": collections.runs,
                    "seconds": round(collections.seconds, 3),
                    "of_seconds": round(sum(counted["rounds"]), 3),
                }
            )
        )
        profile.dump_stats(written)
        return plain

    answer._throughput = profiled
    answer.main(request, result)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
