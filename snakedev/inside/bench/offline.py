"""Tokens per second of vLLM's offline engine: `offline.py REQUEST RESULT`, JSON.

Runs inside a run environment. REQUEST holds `answer` (what snakedev/inside/answer.py is asked),
`rounds`, `folder` for logs, `modes` (by name: variables, such as those that put the engine into one
process), and `contenders`: each a `name`, a `python` and `variables`. The engines of a mode are
loaded one after the other and take turns then, round by round. RESULT is written after each mode.
"""

import json
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[3]))

from snakedev.inside.bench.processes import processes
from snakedev.inside.bench.turns import Contender, program, rotated, say

_ENGINE = Path(__file__).with_name("engine.py").resolve()
_LOAD_SECONDS = 900
_ROUND_SECONDS = 600


def main(request_file: Path, result_file: Path) -> None:
    """Measure what the request asks, and write the result."""
    request = json.loads(request_file.read_bytes())
    folder = Path(request["folder"])
    engine_request = folder / "engine-request.json"
    engine_request.write_text(json.dumps(request["answer"]))
    result: dict[str, Any] = {}
    for mode, settings in request["modes"].items():
        say(f"{mode}: loading")
        result[mode] = _mode(request, mode, settings, engine_request, folder)
        result_file.write_text(json.dumps(result), encoding="utf-8")


def _mode(
    request: dict[str, Any], mode: str, settings: dict[str, str], engine_request: Path, folder: Path
) -> dict[str, Any]:
    measured: dict[str, dict[str, Any]] = {}
    with ExitStack() as ending:
        members = []
        for number, one in enumerate(request["contenders"]):
            variables = {**os.environ, **one["variables"], **settings}
            log = folder / f"engine-{mode.replace(' ', '-')}-{number}.log"
            began = time.monotonic()
            member = Contender(
                one["name"], [one["python"], _ENGINE, engine_request], variables, log, folder
            )
            ending.callback(member.end)
            member.answer(_LOAD_SECONDS)
            seconds = time.monotonic() - began
            say(f"{mode}: {one['name']}: loaded in {seconds:.0f} s")
            members.append((member, variables))
            measured[one["name"]] = {"load_seconds": seconds, "tokens_per_second": []}
        for number in range(request["rounds"]):
            for member, _ in rotated(members, number):
                done = member.ask({}, _ROUND_SECONDS)
                speeds = measured[member.name]["tokens_per_second"]
                speeds.append(done["tokens"] / done["seconds"])
            say(f"{mode}: round {number + 1} of {request['rounds']}")
        for member, variables in members:
            measured[member.name]["processes"] = processes(member.process.pid, variables)
    return measured


if __name__ == "__main__":
    program(main)
