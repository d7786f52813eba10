"""Processor time of vLLM's scheduler and of what makes answers, without a GPU and without a model.

Run from the project after `snakemake env_cpu models`: `python -m tools.benchmarks.scheduling [TREE
...]`. 512 prompts get 128 tokens each, 256 at once, through the real scheduler, KV cache manager,
tokenizer, detokenizer and messages between the processes; a fixed sequence of tokens stands in for
the model. The run environment's vLLM is the first contender; each TREE is a checkout of vLLM whose
Python files take the place of those that are installed (the compiled ones stay): `work/vllm`, or
`FOLDER@REVISION` for a commit of it, such as the source in the store without its last patches.
All are loaded at once and take turns, round by round.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from snakedev.base.errors import UserError
from snakedev.environments.run_variables import run_variables
from snakedev.inside.bench.turns import Contender, TurnError, rotated
from tools.benchmarks.scheduling_work import PARTS
from tools.project import current_plan

_WORK = Path(__file__).with_name("scheduling_work.py")
_START_SECONDS, _ROUND_SECONDS = 1800, 300
_LOAD = {"prompts": 512, "tokens": 128, "running": 256, "batched_tokens": 8192}
_INSTALLED = "installed"


class Overlaid(Contender):
    """The work in a process of its own, with what its rounds took."""

    def __init__(self, name: str, python: Path, request: Path, variables: Mapping[str, str]):
        self.rounds = list[dict[str, float]]()
        folder = request.parent
        log = folder / f"{name.replace('/', '_')}.log"
        # without its folder on the path, which has a cuda.py
        super().__init__(name, [python, "-P", _WORK, request], variables, log, folder)

    def round(self) -> str:
        """Have all prompts answered; returns a digest of the answers."""
        done = self.ask({}, _ROUND_SECONDS)
        self.rounds.append(done["seconds"])
        return done["answers"]

    @property
    def totals(self) -> list[float]:
        """Processor seconds of each round."""
        return [sum(found.values()) for found in self.rounds]


def overlay(tree: str, installed: Path, folder: Path) -> None:
    """Put into ``folder`` a package vllm with the tree's Python files and the installed rest.

    Raises UserError when the tree is no checkout of vLLM.
    """
    path, _, revision = tree.partition("@")
    source = Path(path)
    if revision:
        archive = folder / "vllm.tar"
        command = ["git", "-C", source, "archive", "-o", archive.absolute(), revision, "vllm"]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise UserError(f"{tree}: {done.stderr.strip().splitlines()[-1]}")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        archive.unlink()
    elif not (source / "vllm" / "__init__.py").is_file():
        raise UserError(f"{tree}: has no vllm/__init__.py; give a checkout of vLLM")
    else:
        ignored = shutil.ignore_patterns("__pycache__", "*.so")
        shutil.copytree(source / "vllm", folder / "vllm", ignore=ignored)
    for file in installed.rglob("*"):
        there = folder / "vllm" / file.relative_to(installed)
        if file.is_file() and file.suffix != ".pyc" and not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            there.symlink_to(file.absolute())


def summary(contenders: list[Overlaid], prompts: int) -> list[str]:
    """Lines on each contender: milliseconds per request, and the ratio to the first, by part.

    Ratios are medians of those of each round, which other work on the machine hits alike.
    """
    first = contenders[0]
    lines = []
    for contender in contenders:
        each = [1000 * total / prompts for total in contender.totals]
        ratio = median(a / b for a, b in zip(contender.totals, first.totals, strict=True))
        lines.append(
            f"{contender.name}: {median(each):.2f} ms of processor per request "
            f"({min(each):.2f} to {max(each):.2f}), {ratio:.2f} of {first.name}"
        )
        for part in PARTS:
            taken = [found[part] for found in contender.rounds]
            pairs = zip(taken, (found[part] for found in first.rounds), strict=True)
            ratio = median(a / b for a, b in pairs)
            lines.append(f"  {part}: {1000 * median(taken) / prompts:.3f} ms, {ratio:.2f}")
    return lines


def main() -> None:
    """Time the contenders in turns."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("trees", nargs="*", metavar="TREE")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--environment", type=Path, help="a run environment, with any Python")
    parser.add_argument("--model", type=Path, help="folder of a model; its tokenizer is used")
    parser.add_argument("--stream", action="store_true", help="outputs of each token, as a server")
    options = parser.parse_args()
    plan = current_plan()
    spec = plan.reports.smoke("cpu", plan.config.smoke.models[0])
    environment = options.environment or plan.layout.environment(
        spec.environment_name, spec.environment_key
    )
    model = options.model or plan.layout.model(spec.model, spec.model_key)
    for folder, target in ((environment, "env_cpu"), (model, "models")):
        if not folder.is_dir():
            raise UserError(f"{folder} is not there: run `snakemake {target}`")
    (installed,) = environment.glob("lib/python*/site-packages/vllm")
    asked = _LOAD | {
        "model": str(model.absolute()),
        "prompt": spec.prompts[0].text,
        "stream": options.stream,
    }
    with tempfile.TemporaryDirectory(prefix="snakedev-bench-") as made, ExitStack() as ending:
        folder = Path(made)
        request = folder / "request.json"
        request.write_text(json.dumps(asked), encoding="utf-8")
        python = environment.absolute() / "bin" / "python"
        variables = run_variables(environment, plan.layout.cache) | {
            "TORCH_COMPILE_DISABLE": "1",
            "VLLM_LOGGING_LEVEL": "WARNING",
        }
        contenders = []
        for number, tree in enumerate([None, *options.trees]):
            own = dict(variables)
            if tree is not None:
                there = folder / str(number)
                there.mkdir()
                overlay(tree, installed, there)
                own["PYTHONPATH"] = str(there)
            contenders.append(Overlaid(tree or _INSTALLED, python, request, own))
            ending.callback(contenders[-1].end)
        for contender in contenders:
            print(f"{contender.name}: ready, {contender.answer(_START_SECONDS)}", flush=True)
        said = set()
        for number in range(1, options.rounds + 1):
            said |= {contender.round() for contender in rotated(contenders, number)}
            taken = ", ".join(f"{c.name} {c.totals[-1]:.2f}" for c in contenders)
            print(f"round {number}, processor seconds: {taken}", flush=True)
        print("\n".join(summary(contenders, asked["prompts"])))
        if len(said) > 1:
            raise UserError("the contenders gave different answers")


if __name__ == "__main__":
    try:
        main()
    except (UserError, TurnError) as error:
        sys.exit(str(error))
