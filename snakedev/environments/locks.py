"""Locks: hash-pinned requirements in envs/, compiled by uv from the `.in` files beside them.

`snakemake locks` compiles them. A lock's second line records a digest of what it was compiled
from, so that a changed `.in` file is noticed without asking any index.
"""

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.records import write_text
from snakedev.config.fields import VARIANTS, Variant
from snakedev.environments.exclusions import FILE as EXCLUSIONS_FILE
from snakedev.environments.exclusions import read_exclusions
from snakedev.environments.lock_inputs import closure, requirement_lines, unfit
from snakedev.fetch.indexes import TORCH_PACKAGES, public_address
from snakedev.fetch.uv import run_uv
from snakedev.recipes.registry import RECIPES

# The oldest Python that the workflow itself runs on.
# Wheels only: what a source distribution's build would fetch, no lock pins.
_ORDINARY_TARGET = ("--only-binary", ":all:", "--universal", "--python-version", "3.11")
# For any Linux whose C library is as old as torch's own wheels permit: the machine that compiles a
# lock leaves no trace in it.
_WHEELS_TARGET = ("--only-binary", ":all:", "--python-platform", "x86_64-manylinux_2_28")
_INPUTS = re.compile(r"^# inputs: ([0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True)
class Pin:
    """One package of a lock."""

    version: Version
    extras: frozenset[NormalizedName]


@dataclass(frozen=True)
class Lock:
    """A lock by the name of its file, and what it is for."""

    name: str
    purpose: Literal["tool", "build", "run"]
    """Whether people run programs of it, wheels are built in it, or vLLM runs in it: those of the
    first kind are for ordinary Pythons, the others for the free-threaded one."""
    variant: Variant | None = None
    """The one that it is for; None for one that serves all."""


def _locks() -> Iterator[Lock]:
    yield from (Lock("tools", "tool"), Lock("docs", "tool"))
    for shape in dict.fromkeys(r.environment for r in RECIPES.values() if r.environment):
        for variant in VARIANTS:
            name = shape.format(variant=variant)
            yield Lock(name, "build", variant if name != shape else None)
    yield from (Lock(f"run-{variant}", "run", variant) for variant in VARIANTS)


LOCKS = {lock.name: lock for lock in _locks()}
"""All locks by name: those of what people run, of the recipes' builds, and of each variant."""
_COMMITTED = ("cpu", "cuda")
"""The variants whose locks everybody has."""


def of_variants(variants: Iterable[str]) -> tuple[Lock, ...]:
    """The locks that everybody has, and those of these variants."""
    wanted = {None, *_COMMITTED, *variants}
    return tuple(lock for lock in LOCKS.values() if lock.variant in wanted)


def lock_sources(folder: Path, name: str, torch_index: str | None) -> tuple[Path, ...]:
    """The `.in` files of a lock. NAME.cuda.in is for a torch built with CUDA, which is what the
    package index serves; an index given for torch is taken to serve one without."""
    files = [folder / f"{name}.in"]
    with_cuda = folder / f"{name}.cuda.in"
    if torch_index is None and with_cuda.is_file():
        files.append(with_cuda)
    return tuple(files)


def inputs_digest(folder: Path, name: str, torch_index: str | None) -> str:
    """sha256 of all that a lock is compiled from: requirements, included files, exclusions, the
    platform and the torch index. Comments and reasons are left out."""
    files = lock_sources(folder, name, torch_index)
    parts = [line for file in files for line in closure(file, frozenset())]
    parts += _ORDINARY_TARGET if LOCKS[name].purpose == "tool" else _WHEELS_TARGET
    parts += [f"without {package}" for package in _excluded(folder, name)]
    address = public_address(torch_index) if torch_index else None
    return _sha256([*parts, f"torch index: {address}"])


def lock_digest(lock: Path) -> str:
    """sha256 of a lock's requirements and hashes, comments left out."""
    return _sha256(requirement_lines(lock))


def lock_pins(lock: Path) -> dict[str, Pin]:
    """The packages of a lock for one platform by canonical name."""
    pins: dict[str, Pin] = {}
    for line in requirement_lines(lock):
        if line.startswith("--hash"):
            continue
        try:
            requirement = Requirement(line.removesuffix("\\").strip())
            (specifier,) = requirement.specifier
        except ValueError:
            raise UserError(f"{lock}: '{line}' pins no version: run `snakemake locks`") from None
        name = canonicalize_name(requirement.name)
        extras = frozenset(canonicalize_name(extra) for extra in requirement.extras)
        if name in pins:  # uv gives a package asked for with and without extras two lines
            extras |= pins[name].extras
        pins[name] = Pin(Version(specifier.version), extras)
    return pins


def check_lock(folder: Path, name: str, torch_index: str | None = None) -> None:
    """Raise UserError when a lock or its `.in` file is missing, or was compiled from something
    else."""
    require_lists(folder, [LOCKS[name]])
    lock = folder / f"{name}.lock"
    if not lock.is_file():
        raise UserError(f"{lock} is missing: run `snakemake locks`")
    recorded = _INPUTS.search(lock.read_text(encoding="utf-8"))
    if recorded is None or recorded[1] != inputs_digest(folder, name, torch_index):
        files = ", ".join(file.name for file in lock_sources(folder, name, torch_index))
        key = "registries.torch_rocm" if LOCKS[name].variant == "rocm" else "registries.torch"
        setting = f" with {key} {public_address(torch_index)}" if torch_index else ""
        raise UserError(f"{lock} does not fit {files}{setting}: run `snakemake locks`")


def require_lists(folder: Path, wanted: Iterable[Lock]) -> None:
    """Raise UserError for all `.in` files of locks that are missing, with what belongs in each, and
    for lines of theirs that no lock can answer: it holds packages of an index, by version."""
    files = {folder / f"{lock.name}.in": lock for lock in wanted}
    if lines := [
        f"{file} is missing: list in it {_content(lock)}, then run `snakemake locks`"
        for file, lock in files.items()
        if not file.is_file()
    ]:
        raise UserError("\n".join(lines))
    given = [*files, *(file.with_suffix(".cuda.in") for file in files)]
    if lines := [line for file in given if file.is_file() for line in unfit(file, frozenset())]:
        raise UserError("\n".join(dict.fromkeys(lines)))


def _content(lock: Lock) -> str:
    """What a lock is compiled from, in words."""
    if lock.purpose == "tool":
        return "the programs that people run"
    if lock.purpose == "run":
        return f"what running vLLM on {lock.variant} needs"
    names = [
        name
        for name, recipe in RECIPES.items()
        if recipe.environment and recipe.environment.format(variant=lock.variant) == lock.name
    ]
    several, device = "s" if len(names) > 1 else "", f" for {lock.variant}" if lock.variant else ""
    return f"what builds of recipe{several} {', '.join(names)}{device} need"


def compile_lock(
    folder: Path,
    name: str,
    python: Path | None,
    torch_index: str | None,
    running: Job,
    *,
    upgrade: bool = False,
) -> bool:
    """Compile one lock; whether its text changed.

    Pins of the present lock are kept where they still fit, unless ``upgrade`` is set. ``python``
    is the interpreter that the lock is for; one for ordinary Pythons needs none. Raises
    CommandError when uv finds no solution, UserError when an index does not answer, and for a line
    that no lock can answer.
    """
    require_lists(folder, [LOCKS[name]])
    lock = folder / f"{name}.lock"
    files = lock_sources(folder, name, torch_index)
    inputs = inputs_digest(folder, name, torch_index)
    before = lock.read_text(encoding="utf-8") if lock.is_file() else ""
    running.note(f"compiling {lock}")
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch) / lock.name
        result.write_text("" if upgrade else before, encoding="utf-8")
        excluded = Path(scratch) / "excluded.txt"
        excluded.write_text("".join(f"{package}\n" for package in _excluded(folder, name)))
        target: list[str | Path] = [*_ORDINARY_TARGET, "--excludes", excluded]
        if LOCKS[name].purpose != "tool":
            assert python is not None
            target = [*_WHEELS_TARGET, "--python", python.absolute(), "--excludes", excluded]
        if torch_index is not None:
            # a present pin of the usual index's torch would be kept
            target += [f"--upgrade-package={package}" for package in TORCH_PACKAGES]
        run_uv(
            f"compiling {lock.name}",
            [
                "pip",
                "compile",
                "--quiet",
                "--generate-hashes",
                "--no-header",
                "--no-annotate",
                "--no-strip-extras",
                "--no-emit-index-url",
                "--no-emit-find-links",
                *target,
                *files,
                "--output-file",
                result,
            ],
            running,
            torch_index=torch_index,
        )
        body = "".join(f"{line}\n" for line in requirement_lines(result, indent="    "))
    head = (
        f"# Compiled by `snakemake locks` from {', '.join(file.name for file in files)}.\n"
        f"# inputs: {inputs}\n"
    )
    if changed := head + body != before:
        write_text(lock, head + body)
    running.say(f"{lock}: {'written' if changed else 'unchanged'}, {len(lock_pins(lock))} packages")
    return changed


def _excluded(folder: Path, name: str) -> list[str]:
    """The packages that a lock is compiled without; what all leave out is vLLM's, no tool's."""
    if not (folder / EXCLUSIONS_FILE).is_file():
        return []
    excluded = set(read_exclusions(folder, name).packages)
    if LOCKS[name].purpose == "tool":
        excluded -= read_exclusions(folder).packages.keys()
    return sorted(excluded)


def _sha256(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
