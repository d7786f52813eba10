"""Virtual environments from locks, with the wheels built here on top."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import NormalizedName, canonicalize_name, parse_wheel_filename

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import CommandError, output
from snakedev.base.records import Record
from snakedev.environments import cuda_toolkit, editable
from snakedev.environments.bytecode import take_bytecode
from snakedev.environments.exclusions import FILE as EXCLUSIONS_FILE
from snakedev.environments.locks import lock_exclusions
from snakedev.fetch.uv import run_uv
from snakedev.store.publish import found, published
from snakedev.store.specs import EnvironmentSpec, WheelInput

_PRINT_VERSION = "import platform; print(platform.python_version())"
# What uv says of a fetch; the rest of its output, a line for each package, is for the log.
_PROGRESS = re.compile(r"^\s*((Downloading|Downloaded|Prepared|Installed) .*)$")
# `uv pip check`: The package `a` requires `b>=1`, but it's not installed
_CONFLICT = re.compile(r"^The package `(?P<name>[^`]+)` requires `(?P<requirement>[^`]+)`")


class Package(Record):
    """A distribution in an environment."""

    name: str
    version: str
    built_here: bool


class EnvironmentRecord(Record):
    """env.json: what an environment holds."""

    key: str
    name: str
    lock: str
    lock_digest: str
    python: str
    """The interpreter's full version."""
    packages: tuple[Package, ...]
    wheels: tuple[WheelInput, ...]
    cuda_toolkit: str | None
    """The completed CUDA toolkit's folder inside the environment, if it has nvcc."""
    conflicts: tuple[str, ...]
    """What `uv pip check` found; in a run environment, only what was left out: repos that the
    machine does not build, and packages that the lock leaves out."""
    bytes: int
    """Size of its files; those that are hard links into uv's cache take no room of their own."""
    seconds: float


def make_environment(
    spec: EnvironmentSpec,
    python: Path | str,
    final: Path,
    wheels: list[Path],
    running: Job,
    left_out: Mapping[str, str] | None = None,
    torch_index: str | None = None,
    work: Sequence[editable.WorkInput] = (),
) -> EnvironmentRecord:
    """Make an environment and publish it, or find it in the store.

    ``wheels`` are installed over the lock's packages, without their requirements.
    ``torch_index`` is the spec's with the password that it may need. ``left_out``
    are repos that this machine does not build, with the reason: a run environment may lack
    them and what its lock leaves out, and nothing else that its packages ask for. The wheels of
    ``work`` run the Python files of the work folders that they were built from. Raises
    UserError for what it lacks and for an index that does not answer, CommandError when a package
    cannot be had as locked.
    """
    if record := found(final / spec.record_name, EnvironmentRecord, running):
        return record
    with published(final) as scratch:
        # relocatable: the folder is made under another name and renamed when it is whole
        run_uv(
            f"making {spec.name}",
            [
                "venv",
                "--quiet",
                "--no-config",
                "--relocatable",
                "--allow-existing",
                "--python",
                python,
                "--prompt",
                spec.name,
                scratch,
            ],
            running,
        )
        locked: list[str | Path] = [
            "--require-hashes",
            "--only-binary",
            ":all:",
            "--requirements",
            spec.lock,
            *(("--requirements", spec.base_lock) if spec.base_lock else ()),
        ]
        try:
            _install(spec, scratch, locked, running, torch_index)
        except CommandError as error:
            if spec.python is None:
                raise
            raise UserError(
                f"config.yaml: bench_report.python: {spec.python} cannot have what "
                f"{spec.lock.name} asks for ({'; '.join(error.why) or error}): name another"
            ) from None
        if wheels:
            running.say(f"installing {', '.join(wheel.name for wheel in wheels)}")
            # by path, over a locked package of the same name; offline, as nothing is to be fetched
            _install(spec, scratch, ["--reinstall", "--offline", *wheels], running, None)
        (site_packages,) = scratch.glob("lib/python*/site-packages")
        editable.install(site_packages, work, running)
        taken = sum(take_bytecode(scratch, old) for old in final.parent.glob(f"{spec.name}-*"))
        running.note(f"bytecode of {taken} files is that of earlier environments")
        toolkit = cuda_toolkit.complete(site_packages, running)
        conflicts = _conflicts(scratch, running)
        if spec.purpose != "build":
            _refuse(spec, conflicts, left_out or {}, running)
        record = EnvironmentRecord(
            key=spec.key,
            name=spec.name,
            lock=spec.lock.name,
            lock_digest=spec.lock_digest,
            python=output([scratch / "bin" / "python", "-IBc", _PRINT_VERSION]),
            packages=_packages(site_packages, wheels),
            wheels=spec.wheels,
            cuda_toolkit=str(toolkit.relative_to(scratch)) if toolkit else None,
            conflicts=conflicts,
            bytes=sum(path.lstat().st_size for path in scratch.rglob("*") if not path.is_dir()),
            seconds=round(running.seconds, 1),
        )
        record.write(scratch / spec.record_name)
    running.say(
        f"{len(record.packages)} packages, {record.bytes / 1e9:.1f} GB, in {record.seconds:.0f} s"
    )
    return record


def point_view(view: Path, target: Path) -> None:
    """Make the unkeyed name of an environment, or of a file, point to the current one, in one
    step."""
    view.parent.mkdir(parents=True, exist_ok=True)
    scratch = view.with_name(f".{view.name}.link")
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(os.path.relpath(target, view.parent), target_is_directory=target.is_dir())
    if view.is_dir() and not view.is_symlink():
        shutil.rmtree(view)
    scratch.replace(view)


def _install(
    spec: EnvironmentSpec,
    environment: Path,
    arguments: Sequence[str | Path],
    running: Job,
    torch_index: str | None,
) -> None:
    # uv tells of large packages only
    seen = Counter[str]()

    def watch(line: str) -> None:
        if found := _PROGRESS.match(line):
            seen[found[2]] += 1
            if found[2] in ("Prepared", "Installed"):
                running.say(found[1])

    def status() -> str:
        begun = seen["Downloading"]
        return f"{seen['Downloaded']} of {begun} large packages downloaded" if begun else ""

    with running.telling(status):
        run_uv(
            f"installing {spec.name}",
            ["pip", "install", "--no-deps", "--python", environment / "bin" / "python", *arguments],
            running,
            torch_index=torch_index,
            watch=watch,
        )


def _packages(site_packages: Path, wheels: list[Path]) -> tuple[Package, ...]:
    ours = {parse_wheel_filename(wheel.name)[0] for wheel in wheels}
    found = {
        canonicalize_name(distribution.metadata["Name"]): distribution.version
        for distribution in distributions(path=[str(site_packages)])
    }
    return tuple(
        Package(name=name, version=version, built_here=name in ours)
        for name, version in sorted(found.items())
    )


def _conflicts(environment: Path, running: Job) -> tuple[str, ...]:
    """The lines of `uv pip check` that name a requirement which does not hold."""
    found: list[str] = []

    def watch(line: str) -> None:
        if _CONFLICT.match(line):
            found.append(line.strip())

    try:
        run_uv(
            "checking",
            ["pip", "check", "--no-config", "--python", environment / "bin" / "python"],
            running,
            watch=watch,
        )
    except CommandError:
        if not found:
            raise
    return tuple(found)


def _refuse(
    spec: EnvironmentSpec, conflicts: tuple[str, ...], left_out: Mapping[str, str], running: Job
) -> None:
    """Raise UserError for every conflict that no left-out repo and no exclusion explains."""
    if not conflicts:
        return
    excluded = lock_exclusions(spec.lock.parent, spec.lock.stem).packages
    repos = {canonicalize_name(name) for name in left_out}
    ours = {canonicalize_name(wheel.repo): wheel.repo for wheel in spec.wheels}
    wrong = []
    for line in conflicts:
        names = set(_missing(line))
        if names & repos:
            running.say(f"warning: {line}")
        elif names & excluded.keys():
            running.note(f"left out on purpose: {line}: {excluded[names.pop()].reason}")
            if asker := ours.get(_asker(line)):
                running.say(
                    f"warning: {line}: list {asker} under `asked_by` of that in "
                    f"{spec.lock.with_name(EXCLUSIONS_FILE)} to have it in an extra"
                )
        else:
            wrong.append(line)
    if wrong:
        raise UserError(
            f"{spec.name}: the packages of {spec.lock} and the wheels built here do not fit "
            f"together:\n" + "\n".join(f"  {line}" for line in wrong) + "\nchange "
            f"{spec.lock.with_suffix('.in')} and run `snakemake locks`, or mend the wheel's patches"
        )


def _asker(conflict: str) -> NormalizedName:
    """The package whose requirement does not hold."""
    found = _CONFLICT.match(conflict)
    return canonicalize_name(found["name"] if found else "")


def _missing(conflict: str) -> Iterator[str]:
    """The name of the package that is not there at all, if that is the conflict."""
    found = _CONFLICT.match(conflict)
    if found and "not installed" in conflict:
        try:
            yield canonicalize_name(Requirement(found["requirement"]).name)
        except InvalidRequirement:
            return
