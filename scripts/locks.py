"""Locks: hash-pinned requirements in envs/, compiled by uv from the `.in` files beside them.

`snakemake locks` compiles them. A lock's second line records a digest of what it was compiled
from, so that a changed `.in` file is noticed without asking any index.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from scripts.errors import UserError
from scripts.indexes import index_environment
from scripts.job import Job
from scripts.records import write_text

NAMES = ("tools", "build-any", "build-cpu", "run-cpu")
"""Every lock: the tools' one is for ordinary Pythons, the others for the free-threaded one."""

_TOOLS_PYTHON = "3.11"  # the oldest Python that the workflow itself runs on
_INPUTS = re.compile(r"^# inputs: ([0-9a-f]{64})$", re.MULTILINE)


def sources(folder: Path, name: str, torch_index: str | None) -> tuple[Path, ...]:
    """The `.in` files of a lock. NAME.cuda.in is for a torch built with CUDA, which is what the
    package index serves; an index given for torch is taken to serve one without."""
    files = [folder / f"{name}.in"]
    with_cuda = folder / f"{name}.cuda.in"
    if torch_index is None and with_cuda.is_file():
        files.append(with_cuda)
    return tuple(files)


def inputs_digest(files: Sequence[Path], torch_index: str | None) -> str:
    """sha256 of the requirements in the `.in` files (comments left out) and the torch index."""
    lines = [line for file in files for line in _requirement_lines(file)]
    return hashlib.sha256("\n".join([*lines, f"torch index: {torch_index}"]).encode()).hexdigest()


def lock_digest(lock: Path) -> str:
    """sha256 of a lock's requirements and hashes, comments left out."""
    return hashlib.sha256("\n".join(_requirement_lines(lock)).encode()).hexdigest()


def check_lock(folder: Path, name: str, torch_index: str | None = None) -> None:
    """Raise UserError when a lock is missing or was compiled from something else."""
    lock = folder / f"{name}.lock"
    files = sources(folder, name, torch_index)
    if not files[0].is_file():
        raise UserError(f"{files[0]} is missing: it lists what the environment {name} holds")
    recorded = _INPUTS.search(lock.read_text(encoding="utf-8")) if lock.is_file() else None
    if recorded is None or recorded[1] != inputs_digest(files, torch_index):
        setting = f" with registries.torch {torch_index}" if torch_index else ""
        raise UserError(
            f"{lock} was not compiled from {', '.join(file.name for file in files)} as they "
            f"are now{setting}: run `snakemake locks`"
        )


def compile_lock(
    folder: Path, name: str, python: Path | None, torch_index: str | None, running: Job
) -> bool:
    """Compile one lock; whether its text changed.

    Pins of the present lock are kept where they still fit. ``python`` is the interpreter that
    the lock is for; the tools' lock needs none. Raises CommandError when uv finds no solution.
    """
    lock = folder / f"{name}.lock"
    files = sources(folder, name, torch_index if name.endswith("-cpu") else None)
    index = torch_index if name.endswith("-cpu") else None
    before = lock.read_text(encoding="utf-8") if lock.is_file() else ""
    scratch = lock.with_suffix(".lock.scratch")
    scratch.write_text(before, encoding="utf-8")
    target = ["--universal", "--python-version", _TOOLS_PYTHON]
    if name != "tools":
        assert python is not None
        target = ["--python", str(python), "--only-binary", ":all:"]
    if index is not None:
        target += ["--index", index, "--index-strategy", "unsafe-best-match"]
    try:
        running.run(
            ["uv", "pip", "compile", "--quiet", "--no-config", "--generate-hashes"]
            + ["--no-header", "--no-annotate", *target, *files, "--output-file", scratch],
            env=index_environment(),
        )
        body = scratch.read_text(encoding="utf-8")
    finally:
        scratch.unlink(missing_ok=True)
    body = "".join(line for line in body.splitlines(True) if not line.startswith("#"))
    head = (
        f"# Compiled by `snakemake locks` from {', '.join(file.name for file in files)}.\n"
        f"# inputs: {inputs_digest(files, index)}\n"
    )
    if (changed := head + body != before):
        write_text(lock, head + body)
    running.say(f"{lock}: {'written' if changed else 'unchanged'}")
    return changed


def _requirement_lines(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8")
    lines = (line.split(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
