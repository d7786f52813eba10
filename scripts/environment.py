"""Virtual environments from locks, with the wheels built here on top."""

import shutil
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name

from scripts import cuda_toolkit
from scripts.indexes import index_environment
from scripts.job import Job
from scripts.process import CommandError
from scripts.records import Record
from scripts.specs import EnvironmentSpec, WheelInput
from scripts.store import published

RECIPE_NUMBER = 1
"""Part of every environment's key; raised when environments are made in another way."""


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
    python: str
    packages: tuple[Package, ...]
    wheels: tuple[WheelInput, ...]
    cuda_toolkit: str | None
    """The completed CUDA toolkit's folder inside the environment, if it has nvcc."""
    conflicts: tuple[str, ...]
    """What `uv pip check` found."""
    seconds: float


def make_environment(
    spec: EnvironmentSpec, python: Path, final: Path, wheels: list[Path], running: Job
) -> EnvironmentRecord:
    """Make an environment and publish it, or find it in the store.

    ``wheels`` are installed over the lock's packages, without their requirements. Raises
    CommandError when a package cannot be had or its hash differs.
    """
    if (final / "env.json").is_file():
        running.say("found in the store")
        return EnvironmentRecord.read(final / "env.json")
    variables = index_environment()
    with published(final) as scratch:
        # relocatable: the folder is made under another name and renamed when it is whole
        running.run(
            ["uv", "venv", "--quiet", "--no-config", "--relocatable", "--allow-existing"]
            + ["--python", python.absolute(), "--prompt", spec.name, scratch],
            env=variables,
        )
        install = ["uv", "pip", "install", "--quiet", "--no-config", "--python", scratch / "bin/python"]
        options = ["--require-hashes", "--no-deps", "--only-binary", ":all:"]
        if spec.torch_index is not None:
            options += ["--index", spec.torch_index, "--index-strategy", "unsafe-best-match"]
        running.say(f"installing {spec.lock.name}")
        running.run([*install, *options, "-r", spec.lock], env=variables)
        if wheels:
            running.say(f"installing {', '.join(wheel.name for wheel in wheels)}")
            running.run([*install, "--no-deps", "--reinstall", *wheels], env=variables)
        (site_packages,) = scratch.glob("lib/python*/site-packages")
        toolkit = cuda_toolkit.complete(site_packages)
        record = EnvironmentRecord(
            key=spec.key,
            name=spec.name,
            lock=spec.lock.name,
            python=python.name,
            packages=_packages(site_packages, spec.wheels),
            wheels=spec.wheels,
            cuda_toolkit=str(toolkit.relative_to(scratch)) if toolkit else None,
            conflicts=_conflicts(scratch, variables, running),
            seconds=round(running.seconds, 1),
        )
        record.write(scratch / "env.json")
    running.say(f"{len(record.packages)} packages in {record.seconds:.0f} s")
    return record


def point_view(view: Path, environment: Path) -> None:
    """Make the unkeyed name of an environment point to the current one, in one step."""
    scratch = view.with_name(f".{view.name}.link")
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(environment.name, target_is_directory=True)
    if view.is_dir() and not view.is_symlink():
        shutil.rmtree(view)
    scratch.replace(view)


def _packages(site_packages: Path, wheels: tuple[WheelInput, ...]) -> tuple[Package, ...]:
    ours = {canonicalize_name(wheel.repo) for wheel in wheels}
    found = {
        canonicalize_name(distribution.metadata["Name"]): distribution.version
        for distribution in distributions(path=[str(site_packages)])
    }
    return tuple(
        Package(name=name, version=version, built_here=name in ours)
        for name, version in sorted(found.items())
    )


def _conflicts(environment: Path, variables: dict[str, str], running: Job) -> tuple[str, ...]:
    try:
        command = ["uv", "pip", "check", "--no-config", "--python", environment / "bin" / "python"]
        running.run(command, env=variables)
    except CommandError as error:
        return tuple(line for line in error.tail if line.startswith("The package"))
    return ()

