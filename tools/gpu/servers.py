"""Put several servers under load in turns: `python3 servers.py FOLDER CONTENDER CONTENDER ...`.

A contender is what compare.py takes: a layer and settings for it. The servers are those of
bench_report (snakedev/inside/bench/serving.py): the first contender with each number of
`--api-servers`, each of ours with the GIL off also in one process, with each number of `--loops`.
Prints a line for each server and load, and keeps all that was measured in a file, of which
`python -m tools.gpu.record` makes a record of bench_report.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from operator import truediv
from pathlib import Path
from statistics import median

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from snakedev.base.capacity import available_cores
from snakedev.machine.facts import machine_facts
from tools.gpu.run import interpreter, layer_and_settings, request, stock, variables

_SERVING = Path(__file__).resolve().parents[2] / "snakedev" / "inside" / "bench" / "serving.py"


def contender(options: argparse.Namespace, text: str) -> dict:
    """A contender as serving.py takes one."""
    layer, settings = layer_and_settings(text)
    environment = variables(options.folder, layer) | settings
    free = not stock(layer) and environment.get("PYTHON_GIL") != "1"
    return {
        "name": text,
        "python": interpreter(options.folder, layer),
        "variables": environment,
        "api_servers": options.api_servers if text == options.contenders[0] else [1],
        "loops": options.loops if free else [],
    }


def measured(options: argparse.Namespace) -> dict:
    """What serving.py finds out, and of which builds, where and when."""
    asked = request(options.folder, {}, options.model)
    options.logs.mkdir(parents=True, exist_ok=True)
    wanted = {
        "model": asked["model"],
        "arguments": asked["engine"],
        "contenders": [contender(options, text) for text in options.contenders],
        "loads": options.loads,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "folder": str(options.logs),
    }
    layer, _ = layer_and_settings(options.contenders[0])
    # read first: what lacks it shall not fail after minutes of measuring
    built = json.loads((options.folder / "manifest.json").read_bytes())["built"]
    began, load = time.time(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        given = Path(scratch, "request.json")
        given.write_text(json.dumps(wanted))
        command = [interpreter(options.folder, layer), _SERVING, given, options.result]
        # the contenders' settings are their own: servers inherit what is set here
        subprocess.run(command, env=variables(options.folder, layer), check=True)
    told = {
        "request": {key: wanted[key] for key in ("rounds", "seconds")}
        | {"api_servers": options.api_servers, "loops": options.loops},
        "machine": machine_facts("cuda"),
        "cores": available_cores(),
        "load_average": load,
        "began": began,
        "took": time.time() - began,
        "built": built,
    }
    result = json.loads(options.result.read_bytes()) | told
    options.result.write_text(json.dumps(result), encoding="utf-8")
    return result


def lines(result: dict) -> Iterator[str]:
    """Each server under each load, with its ratio to the first: the median of the rounds'."""
    servers = list(result["contenders"].items())
    for load in result["loads"]:
        first = _rates(servers[0][1]["loads"][load])
        for name, one in servers:
            rounds = one["loads"][load]
            rates = _rates(rounds)
            spent = median(x["processor_seconds"] / x["requests"] for x in rounds)
            yield (
                f"{load}: {name}: {median(rates):,.1f} requests/s "
                f"({min(rates):,.1f} to {max(rates):,.1f}), "
                f"{median(map(truediv, rates, first)):.2f} of the first, "
                f"{1e3 * spent:,.1f} ms of processor time each, "
                f"{median(x['pss'] for x in rounds) / 1e9:.2f} GB, "
                f"{median(one['start_seconds']):.0f} s to start"
            )
    for name, why in result["left_out"].items():
        yield f"{name} is left out: {why}"


def _rates(rounds: Sequence[dict]) -> list[float]:
    return [one["requests"] / one["seconds"] for one in rounds]


def _counts(text: str) -> list[int]:
    return [int(word) for word in text.split(",") if word]


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("folder", type=lambda text: Path(text).absolute())
    parser.add_argument("contenders", nargs="+", metavar="CONTENDER")
    parser.add_argument("--api-servers", type=_counts, default=[1, 2, 4], metavar="N,N")
    parser.add_argument("--loops", type=_counts, default=[1, 2, 4], metavar="N,N")
    parser.add_argument("--loads", type=lambda text: text.split(","), metavar="NAME,NAME")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="that a load shall take")
    parser.add_argument("--model", type=lambda text: Path(text).absolute())
    parser.add_argument("--logs", type=lambda text: Path(text).absolute(), default=Path("served"))
    parser.add_argument(
        "--result", type=lambda text: Path(text).absolute(), default=Path("servers.json").absolute()
    )
    options = parser.parse_args()
    print("\n".join(lines(measured(options))))


if __name__ == "__main__":
    main()
