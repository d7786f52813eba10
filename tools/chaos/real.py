"""Kills of the real workflow: the wheels for NVIDIA GPUs with vLLM's own kernels, in a clone.

It downloads some 5 GB at its first run, less where uv's cache has them.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random

from tests.project import PROJECT
from tools.chaos.kills import PICKS, kill
from tools.chaos.setting import Base, Setting
from tools.chaos.subject import Subject, require

_TARGETS = ("wheels_cuda",)
_CONFIG = "variants={cuda: {kernels: upstream, architectures: [9.0a]}}"
_PYTHON = PROJECT / "results/interpreter/bin/python3.14t"
_INTERPRETER = f"interpreter={{provider: system, path: '{_PYTHON}'}}"
_LONGEST_SECONDS = 120
# What is taken away, one after the other, when there is nothing left to do.
_MADE = ("wheels", "build", "sources", "envs", "git", "downloads")


class Clone(Subject):
    """A clone of this project, as it is committed."""

    limit_seconds = 3600

    def __init__(self, folder: Path):
        self.folder, self.config = folder, {}
        subprocess.run(["git", "clone", "--quiet", PROJECT, folder], check=True)

    def command(self, *arguments: str) -> list[str]:
        """The command line of a run."""
        program = Path(sys.executable).with_name("snakemake")
        return [str(program), *arguments, "--config", _CONFIG, _INTERPRETER]


def kill_real(folder: Path, seed: int, times: int) -> None:
    """Kill a run so often, each time at another moment; then it must finish, `Broken` otherwise."""
    random, clone = Random(f"{seed} real"), Clone(folder / "clone")
    setting, done, taken = Setting(Base(folder, _PYTHON), random), 0, 0
    while done < times:
        name, pick = random.choice(sorted(PICKS.items()))
        began = time.monotonic()
        after = random.uniform(2, _LONGEST_SECONDS)
        if what := kill(clone, pick, after, setting, 0, *_TARGETS):
            done += 1
            print(f"real     {name:12} {done:3}. {what} after {time.monotonic() - began:.0f} s")
        else:
            # it was faster, or failed: in either case it must finish
            clone.finishes(*_TARGETS)
            shelf = _MADE[taken % len(_MADE)]
            shutil.rmtree(clone.folder / "results" / shelf, ignore_errors=True)
            shutil.rmtree(clone.folder / "results/stamps", ignore_errors=True)
            taken += 1
        sys.stdout.flush()
    clone.finishes(*_TARGETS)
    require(clone)
    print(f"real     finished after {done} kills; seed {seed}")
