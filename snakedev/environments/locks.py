"""Locks: hash-pinned requirements in envs/, and whether they fit what they are compiled from.

That are the `.in` files beside them, which hold additions only, and what the pinned sources ask
for; `snakemake locks` compiles them (snakedev/environments/lock_compiler.py). A lock's second line
records a digest of that, so that a change is noticed without asking any index, and its third what
of exclusions.yaml its packages ask for, so that other exclusions leave it as it is.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from snakedev.base.errors import UserError
from snakedev.config.fields import VARIANTS, Purpose, Variant
from snakedev.config.source_facts import SourceFacts, facts_file
from snakedev.environments.exclusions import FILE as EXCLUSIONS_FILE
from snakedev.environments.exclusions import Exclusions, read_exclusions
from snakedev.environments.lock_inputs import (
    Line,
    all_facts,
    asked_by_sources,
    closure,
    numbered_lines,
    requirement_lines,
    unfit,
)
from snakedev.fetch.indexes import public_address
from snakedev.recipes.registry import RECIPES

# Wheels only: what a source distribution's build would fetch, no lock pins.
ORDINARY_TARGET = ("--only-binary", ":all:", "--universal", "--python-version", "3.11")
"""Which platform a lock of tools is for: any, and the oldest Python that the workflow runs on."""
WHEELS_TARGET = ("--only-binary", ":all:", "--python-platform", "x86_64-manylinux_2_28")
"""Which one other locks are for: any Linux whose C library is as old as torch's own wheels permit.
The machine that compiles a lock leaves no trace in it."""
_INPUTS = re.compile(r"^# inputs: ([0-9a-f]{64})$", re.MULTILINE)
_PACKAGE = re.compile(r"^([A-Za-z0-9][\w.-]*)[^#\n]*==", re.MULTILINE)
_WITHOUT = re.compile(r"^# without: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Pin:
    """One package of a lock."""

    version: Version
    extras: frozenset[NormalizedName]


@dataclass(frozen=True)
class Lock:
    """A lock by the name of its file, and what it is for."""

    name: str
    purpose: Purpose
    """Whether people run programs of it, wheels are built in it, vLLM runs in it, or upstream's
    tests do: those of the first kind are for ordinary Pythons, the others for the free-threaded
    one."""
    variant: Variant | None = None
    """The one that it is for; None for one that serves all."""

    @property
    def base(self) -> str | None:
        """The lock that it adds packages to, if any: an environment holds those of both."""
        return f"run-{self.variant}" if self.purpose == "test" else None


def _locks() -> Iterator[Lock]:
    yield from (Lock(name, "tool") for name in ("tools", "cluster", "docs"))
    for shape in dict.fromkeys(r.environment for r in RECIPES.values() if r.environment):
        for variant in VARIANTS:
            name = shape.format(variant=variant)
            yield Lock(name, "build", variant if name != shape else None)
    yield from (Lock(f"run-{variant}", "run", variant) for variant in VARIANTS)
    # behind the locks that they are compiled from
    yield from (Lock(f"test-{variant}", "test", variant) for variant in VARIANTS)


LOCKS = {lock.name: lock for lock in _locks()}
"""All locks by name: those of what people run, of the recipes' builds, and of each variant."""
_COMMITTED = ("cpu", "cuda")
"""The variants whose locks everybody has."""


def of_variants(variants: Iterable[str], *, tests: bool = False) -> tuple[Lock, ...]:
    """The locks that everybody has, and those of these variants; with ``tests``, those of
    upstream's tests, too."""
    wanted = {None, *_COMMITTED, *variants}
    return tuple(
        lock
        for lock in LOCKS.values()
        if lock.variant in wanted and (tests or lock.purpose != "test")
    )


def lock_sources(folder: Path, name: str, torch_index: str | None) -> tuple[Path, ...]:
    """The `.in` files of a lock. NAME.cuda.in is for a torch built with CUDA, which is what the
    package index serves; an index given for torch is taken to serve one without."""
    files = [folder / f"{name}.in"]
    with_cuda = folder / f"{name}.cuda.in"
    if torch_index is None and with_cuda.is_file():
        files.append(with_cuda)
    return tuple(files)


def listed_lines(folder: Path, name: str, torch_index: str | None) -> list[Line]:
    """What the `.in` files of a lock ask for."""
    files = lock_sources(folder, name, torch_index)
    return [line for file in files for line in closure(file, frozenset())]


def source_lines(folder: Path, name: str, facts: Iterable[SourceFacts]) -> list[Line]:
    """What pinned sources ask of a lock; raises UserError for what no lock can answer."""
    lock, exclusions = LOCKS[name], lock_exclusions(folder, name)
    return asked_by_sources(facts, folder, lock.purpose, lock.variant, exclusions)


def inputs_digest(
    folder: Path,
    name: str,
    torch_index: str | None,
    left_out: Iterable[str] = (),
    facts: Sequence[SourceFacts] | None = None,
    base: Path | None = None,
) -> str:
    """sha256 of all that a lock is compiled from: what it is to answer, what of that is left out,
    the platform, the torch index and the lock that it is based on. Comments and reasons are left
    out.

    ``facts`` and the lock ``base`` are those of the files in ``folder`` where they are not given.
    """
    known = all_facts(folder) if facts is None else facts
    lines = [*listed_lines(folder, name, torch_index), *source_lines(folder, name, known)]
    parts = [line.text for line in lines]
    parts += ORDINARY_TARGET if LOCKS[name].purpose == "tool" else WHEELS_TARGET
    parts += [f"without {package}" for package in sorted(left_out)]
    address = public_address(torch_index) if torch_index else None
    parts.append(f"torch index: {address}")
    if named := LOCKS[name].base:
        parts.append(f"{named}: {lock_digest(base or folder / f'{named}.lock')}")
    return _sha256(parts)


def lock_head(
    folder: Path,
    name: str,
    torch_index: str | None,
    left_out: Iterable[str],
    facts: Sequence[SourceFacts],
    base: Path | None = None,
) -> str:
    """The comments that a lock begins with; ``left_out`` are the excluded packages that those of
    the lock ask for, and ``base`` is the lock that it is based on."""
    without = ", ".join(sorted(left_out))
    return (
        f"# Compiled by `snakemake locks` from {_files(folder, name, torch_index, facts)}.\n"
        f"# inputs: {inputs_digest(folder, name, torch_index, left_out, facts, base)}\n"
        + (f"# without: {without}\n" if without else "")
    )


def lock_exclusions(folder: Path, name: str) -> Exclusions:
    """What a lock is compiled without; what all leave out is vLLM's, no tool's."""
    if not (folder / EXCLUSIONS_FILE).is_file():
        return Exclusions({}, {})
    exclusions = read_exclusions(folder, LOCKS[name].base or name)
    if LOCKS[name].purpose != "tool":
        return exclusions
    shared = read_exclusions(folder).packages
    own = {name: said for name, said in exclusions.packages.items() if name not in shared}
    return Exclusions(own, exclusions.extras)


def lock_digest(*locks: Path) -> str:
    """sha256 of the requirements and hashes of locks, comments left out."""
    return _sha256([line for lock in locks for line in requirement_lines(lock)])


def lock_pins(lock: Path) -> dict[str, Pin]:
    """The packages of a lock for one platform by canonical name."""
    pins: dict[str, Pin] = {}
    for number, line in numbered_lines(lock):
        if line.startswith("--hash"):
            continue
        try:
            requirement = Requirement(line.removesuffix("\\").strip())
            (specifier,) = requirement.specifier
        except ValueError:
            raise UserError(
                f"{lock}:{number}: '{line}' pins no version: run `snakemake locks`"
            ) from None
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
    for file in (lock, folder / f"{LOCKS[name].base or name}.lock"):
        if not file.is_file():
            raise UserError(f"{file} is missing: run `snakemake locks`")
    text = lock.read_text(encoding="utf-8")
    recorded, without = _INPUTS.search(text), _WITHOUT.search(text)
    asked_for = {*lock_names(text), *(without[1].split(", ") if without else ())}
    left_out = asked_for & lock_exclusions(folder, name).packages.keys()
    if recorded is None or recorded[1] != inputs_digest(folder, name, torch_index, left_out):
        key = "registries.torch_rocm" if LOCKS[name].variant == "rocm" else "registries.torch"
        setting = f" with {key} {public_address(torch_index)}" if torch_index else ""
        files = _files(folder, name, torch_index, all_facts(folder))
        raise UserError(f"{lock} does not fit {files}{setting}: run `snakemake locks`")


def _files(folder: Path, name: str, torch_index: str | None, facts: Iterable[SourceFacts]) -> str:
    """The files that a lock is compiled from, for a reader."""
    files = [file.name for file in lock_sources(folder, name, torch_index)]
    files += [f"{LOCKS[name].base}.lock"] if LOCKS[name].base else []
    if LOCKS[name].purpose != "tool" and LOCKS[name].variant:
        files += [facts_file(folder, one.repo).name for one in facts]
    return ", ".join(files)


def lock_names(text: str) -> set[str]:
    """The canonical names of the packages of a lock."""
    return {canonicalize_name(found) for found in _PACKAGE.findall(text)}


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
    if lock.purpose == "test":
        return f"`-r {lock.base}.in`, and what upstream's tests on {lock.variant} need besides"
    names = [
        name
        for name, recipe in RECIPES.items()
        if recipe.environment and recipe.environment.format(variant=lock.variant) == lock.name
    ]
    several, device = "s" if len(names) > 1 else "", f" for {lock.variant}" if lock.variant else ""
    return f"what builds of recipe{several} {', '.join(names)}{device} need"


def _sha256(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
