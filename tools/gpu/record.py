"""Make a record of bench_report of servers that were measured on a GPU machine.

Run from the project: `python -m tools.gpu.record servers.json`, with what servers.py has written
there. `snakemake bench_page` then shows it beside the runs of this machine.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from snakedev.base.errors import UserError
from snakedev.base.yaml_file import read_yaml
from snakedev.config.read import check
from snakedev.config.reports import BenchReport
from snakedev.reports.bench.record import CONTENDERS, OFF, ON, STOCK, BenchRecord, keep
from snakedev.reports.bench.results import part_results, refuse_wrong_gil
from snakedev.store.layout import Layout
from snakedev.store.specs import BenchPin, BenchSpec
from tools.project import PROJECT


def record(result: Mapping[str, Any]) -> BenchRecord:
    """The record of what servers.py measured; raises UserError where it cannot tell of it.

    A report compares the stock wheel, and one build with the GIL on and off: no more contenders
    than these three.
    """
    names = {name: _role(state) for name, state in result["interpreters"].items()}
    if len({*names.values()}) < len(names):
        raise UserError(f"a report shows one contender as {', '.join(CONTENDERS)}, not {names}")
    measured = {
        **result,
        "interpreters": {names[name]: state for name, state in result["interpreters"].items()},
        "contenders": {_renamed(name, names): one for name, one in result["contenders"].items()},
        "left_out": {_renamed(name, names): why for name, why in result["left_out"].items()},
    }
    built = result["built"]
    settings = BenchReport.model_validate(
        {"parts": ["server"], "server": {**result["request"], "loads": list(result["loads"])}}
    )
    spec = BenchSpec(
        variant="cuda",
        environment_name="run-cuda",
        settings=settings,
        version=built["pins"]["vllm"]["version"],
        **{**built, "pins": {name: BenchPin(**pin) for name, pin in built["pins"].items()}},
    )
    made = BenchRecord(
        **{
            field: getattr(spec, field)
            for field in ("key", "variant", "model", "environment_key", "settings", "pins")
        },
        started=datetime.fromtimestamp(result["began"], UTC).isoformat(timespec="seconds"),
        seconds=round(result["took"], 1),
        machine=result["machine"],
        cores=result["cores"],
        load_average=round(result["load_average"], 2),
        without_stock=None if STOCK in names.values() else "it was not among the contenders",
        **part_results({"server": measured}),
    )
    refuse_wrong_gil(made)
    return made


def _role(state: Mapping[str, Any]) -> str:
    """What a report calls a contender, by what its interpreter says of itself."""
    if not state["free_threaded"]:
        return STOCK
    return ON if state["gil_enabled"] else OFF


def _renamed(server: str, names: Mapping[str, str]) -> str:
    """A server's name, which begins with its contender's."""
    contender = max((name for name in names if server.startswith(name)), key=len)
    return names[contender] + server.removeprefix(contender)


def main() -> None:
    """Keep the record of the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("result", type=Path, help="what servers.py has written")
    options = parser.parse_args()
    folder = Layout.of(check(read_yaml(PROJECT / "config.yaml"))).bench_records
    keep(record(json.loads(options.result.read_bytes())), folder)
    print(f"{folder} has one record more: `snakemake bench_page` shows it")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
