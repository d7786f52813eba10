"""Tokens per second on an NVIDIA GPU: our vLLM on 3.14t beside the stock wheel, if wanted.

Run from the project after `snakemake smoke_report`, on a machine with a GPU: `python -m
tools.benchmarks.gpu [--rounds N] [--stock] [--python PATH]`. 512 prompts of 128 new tokens each are
answered at once, by an engine as vLLM makes it by itself: compiled, with CUDA graphs. `--stock`
installs the official wheel on an ordinary Python (10 GB) and prints the ratio. The figures are kept
in results/bench/gpu.csv.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import pandas as pd

from snakedev.base.errors import UserError
from snakedev.base.records import write_text
from snakedev.config.reports import Throughput
from snakedev.environments.run_variables import run_variables
from snakedev.environments.stock import stock_environment
from snakedev.inference.engine import ANSWER, probe_variables, request
from snakedev.inference.smoke_record import SmokeRecord
from tools.project import PROJECT, current_plan

TIMED = Throughput(prompts=512, tokens=128)
ENGINE = {"dtype": "auto", "max_model_len": 2048, "max_num_seqs": TIMED.prompts}
"""What the engine is made with; all else is as vLLM chooses for the GPU."""
_STOCK = "stock vllm"
# The smoke run goes without torch's inductor, to start sooner.
_SMOKE_ONLY = ("PYTHON_GIL", "TORCH_COMPILE_DISABLE")


def main() -> None:
    """Time the contenders in turns and print each one's median."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stock", action="store_true", help="time the official wheel, too")
    parser.add_argument(
        "--python", default=sys.executable, help="an ordinary Python, for the stock"
    )
    options = parser.parse_args()
    plan = current_plan()
    layout = plan.layout
    if "cuda" not in plan.buildable.runnable:
        skipped = plan.buildable.skipped
        raise UserError(skipped.get("cuda", "config.yaml: smoke.variants does not name cuda"))
    spec = plan.reports.smoke("cuda", plan.config.smoke.models[0])
    smoke = SmokeRecord.read(layout.folder(spec) / "smoke.json")
    model = layout.model(spec.model, spec.model_key).absolute()
    wanted = request(spec.prompts, spec.max_tokens, TIMED, model, ENGINE)
    settings = {name: value for name, value in smoke.variables.items() if name not in _SMOKE_ONLY}
    ours = layout.environment(spec.environment_name, spec.environment_key).absolute()
    contenders = {"ours, GIL on": (ours, False), "ours, GIL off": (ours, True)}
    if options.stock:
        stock = stock_environment(
            layout.stock("cuda").absolute(),
            "cuda",
            plan.config.repos["vllm"].version,
            PROJECT / "envs" / "run-cuda.lock",
            options.python,
        )
        contenders = {_STOCK: (stock, False), **contenders}
    rows = []
    for number in range(1, options.rounds + 1):
        for name, (environment, gil_off) in contenders.items():
            speed = tokens_per_second(environment, layout.cache, wanted, settings, gil_off=gil_off)
            rows.append({"contender": name, "round": number, "tokens_per_second": round(speed, 1)})
            print(f"round {number}: {name}: {speed:.1f} tokens/s", flush=True)
    table = pd.DataFrame(rows)
    speeds = {n: list(t) for n, t in table.groupby("contender", sort=False)["tokens_per_second"]}
    print("\n".join(summary(speeds)))
    table = table.assign(gpu=smoke.machine.get("gpu"), driver=smoke.machine.get("driver"))
    write_text(layout.root / "bench" / "gpu.csv", table.to_csv(index=False))


def tokens_per_second(
    environment: Path, cache: Path, wanted: str, settings: Mapping[str, str], *, gil_off: bool
) -> float:
    """Start vLLM in an environment, ask it what ``wanted`` says, and take the median batch.

    Raises UserError with the end of the log when it fails.
    """
    variables = run_variables(environment, cache, gil_off=gil_off) | settings | probe_variables()
    if not gil_off:
        variables["PYTHON_GIL"] = "1"
    with tempfile.TemporaryDirectory(prefix="snakedev-bench-") as folder:
        request, result, log = (Path(folder) / name for name in ("request", "result", "log"))
        request.write_text(wanted, encoding="utf-8")
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


def summary(speeds: Mapping[str, Sequence[float]]) -> list[str]:
    """A line on each contender: its median and spread, and its ratio to the stock."""
    lines = []
    for name, rounds in speeds.items():
        line = (
            f"{name}: median {median(rounds):.1f} tokens/s ({min(rounds):.1f} to {max(rounds):.1f})"
        )
        if _STOCK in speeds:
            line += f", {median(rounds) / median(speeds[_STOCK]):.2f} of the stock"
        lines.append(line)
    return lines


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
