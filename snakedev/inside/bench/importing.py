"""How long importing vLLM takes, and what memory it needs: `importing.py REQUEST RESULT`, JSON.

REQUEST holds `rounds` and `contenders`: each a `name`, a `python` and `variables`. Every import is
one of a fresh process; the contenders take turns, and the first round is not counted. Standard
library only.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[3]))

from snakedev.inside.bench.turns import program, rotated, say

_IMPORT = """
import json, re, time
started = time.perf_counter()
from vllm import LLM
seconds = time.perf_counter() - started
rollup = open("/proc/self/smaps_rollup").read()
found = dict(re.findall(r"^(Rss|Pss):\\s+(\\d+) kB", rollup, re.M))
memory = {name.lower(): int(kilobytes) << 10 for name, kilobytes in found.items()}
print("snakedev:", json.dumps({"seconds": seconds, **memory}))
"""
_LIMIT_SECONDS = 300


def main(request_file: Path, result_file: Path) -> None:
    """Measure what the request asks, and write the result."""
    request = json.loads(request_file.read_bytes())
    imports: dict[str, list[Any]] = {one["name"]: [] for one in request["contenders"]}
    for number in range(request["rounds"] + 1):
        for one in rotated(request["contenders"], number):
            done = subprocess.run(
                [one["python"], "-c", _IMPORT],
                env={**os.environ, **one["variables"]},
                stdout=subprocess.PIPE,
                text=True,
                timeout=_LIMIT_SECONDS,
                check=True,
            )
            (line,) = (x for x in done.stdout.splitlines() if x.startswith("snakedev: "))
            if number:
                imports[one["name"]].append(json.loads(line.removeprefix("snakedev: ")))
        say(f"round {number} of {request['rounds']}" if number else "warmed up")
    result_file.write_text(json.dumps(imports), encoding="utf-8")


if __name__ == "__main__":
    program(main)
