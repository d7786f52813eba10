"""What the benchmarks of inference share: the plan, and the timed run."""

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from snakedev.base.errors import UserError
from snakedev.base.yaml_file import read_yaml
from snakedev.config.read import check
from snakedev.environments.run_variables import run_variables
from snakedev.inference.engine import ANSWER, probe_variables
from snakedev.plan.plan import Plan
from snakedev.store.artifacts import Artifacts
from snakedev.store.layout import Layout

PROJECT = Path(__file__).parents[2]


def current_plan() -> Plan:
    """The plan of config.yaml."""
    checked = check(read_yaml(PROJECT / "config.yaml"))
    return Plan(checked, Artifacts(Layout.of(checked)), PROJECT)


def tokens_per_second(
    environment: Path, cache: Path, asked: str, settings: Mapping[str, str], *, gil_off: bool
) -> float:
    """Start vLLM in an environment, ask it what ``asked`` says, and take the median batch.

    Raises UserError with the end of the log when it fails.
    """
    variables = run_variables(environment, cache, gil_off=gil_off) | settings | probe_variables()
    if not gil_off:
        variables["PYTHON_GIL"] = "1"
    with tempfile.TemporaryDirectory(prefix="snakedev-bench-") as folder:
        request, result, log = (Path(folder) / name for name in ("request", "result", "log"))
        request.write_text(asked, encoding="utf-8")
        with log.open("w") as file:
            done = subprocess.run(
                [environment / "bin" / "python", ANSWER, request, result],
                env=variables,
                cwd=folder,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        if done.returncode:
            raise UserError(f"{environment}: inference failed:\n{log.read_text()[-4000:]}")
        timed = json.loads(result.read_bytes())["throughput"]
    return timed["tokens"] / median(timed["rounds"])


def summary(speeds: Mapping[str, Sequence[float]], yardstick: str) -> list[str]:
    """A line on each contender: its median and spread, and its ratio to the yardstick."""
    lines = []
    for name, found in speeds.items():
        line = f"{name}: median {median(found):.1f} tokens/s ({min(found):.1f} to {max(found):.1f})"
        if yardstick in speeds:
            line += f", {median(found) / median(speeds[yardstick]):.2f} of the stock"
        lines.append(line)
    return lines
