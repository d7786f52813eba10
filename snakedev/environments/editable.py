"""Editable installs: a run environment that takes Python files from work folders.

The packages' own Python files leave site-packages, and snakedev/inside/work_finder.py finds those
of the work folder in their place, so that an edit runs at once and a file that was deleted is gone.
Extensions, data and what the build wrote stay installed.
"""

import json
import os
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from snakedev import inside
from snakedev.base.errors import UserError
from snakedev.base.git import run_git
from snakedev.base.job import Job
from snakedev.base.records import write_text

_FINDER = inside.FOLDER / "work_finder.py"
_NAME = "_snakedev_work"


@dataclass(frozen=True)
class WorkInput:
    """A wheel that was built from a work folder."""

    wheel: Path
    source: Path
    """The checkout that it was built from."""
    folder: Path
    """The work folder."""


@dataclass(frozen=True)
class _Package:
    """A package of a wheel, and where its Python files come from."""

    root: str
    """Its folder in the wheel."""
    place: str
    """Its folder in the source."""
    files: tuple[str, ...]
    """The files of the wheel that are in the source as they are."""
    written: tuple[str, ...]
    """Those that the build changes, such as one with the version."""


def install(site_packages: Path, inputs: Sequence[WorkInput], running: Job) -> None:
    """Have the packages of installed wheels imported from the work folders they were built from.

    Raises UserError for a package whose folder has another name in the source: its files cannot
    be told from others.
    """
    site = site_packages.resolve()
    folders: dict[str, str] = {}
    written: list[str] = []
    for one in inputs:
        for package in _packages(one):
            name, folder = package.root.replace("/", "."), one.folder / package.place
            folders[name] = os.path.relpath(folder.resolve(), site)
            for file in package.files:
                (site / file).unlink()
            _drop_empty(site / package.root)
            running.say(f"{name} is imported from {os.path.relpath(folder)}")
            for file in package.written:
                running.say(f"{file} is written by the build: edits of it run after the next one")
                written.append(file.removesuffix(".py").replace("/", "."))
    if not folders:
        return
    shutil.copyfile(_FINDER, site / f"{_NAME}.py")
    write_text(
        site / f"{_NAME}.json",
        json.dumps({"packages": folders, "written": written}, indent=2) + "\n",
    )
    write_text(site / f"{_NAME}.pth", f"import {_NAME}\n")


def _packages(one: WorkInput) -> list[_Package]:
    """A wheel's packages that come from the source."""
    with zipfile.ZipFile(one.wheel) as archive:
        modules = {name for name in archive.namelist() if name.endswith(".py")}
        found = []
        tracked = set(run_git(["ls-files", "-z"], one.source).split("\0"))
        for root in package_roots(modules):
            inside = sorted(name for name in modules if name.startswith(f"{root}/"))
            before = _before(root, inside, tracked)
            if before is not None:
                ours = [name for name in inside if before + name in tracked]
                written = tuple(
                    name
                    for name in ours
                    if not name.endswith("/__init__.py")
                    and archive.read(name) != (one.source / before / name).read_bytes()
                )
                files = tuple(name for name in ours if name not in written)
                found.append(_Package(root, before + root, files, written))
                continue
            contents = {archive.read(name) for name in inside} - {b""}
            for name in sorted(tracked):
                if name.endswith(".py") and (one.source / name).read_bytes() in contents:
                    raise UserError(
                        f"{one.wheel.name}: its package {root} holds {name}, whose folder has "
                        f"another name: edits there cannot be run from the work folder; export "
                        f"them, and run without `work`"
                    )
        return found


def package_roots(files: set[str]) -> list[str]:
    """The outermost folders with an __init__.py."""
    packages = {str(PurePosixPath(file).parent) for file in files if _is_init(file)}
    above = {
        package: {str(parent) for parent in PurePosixPath(package).parents} for package in packages
    }
    return sorted(package for package in packages - {"."} if not above[package] & packages - {"."})


def in_package(file: str, files: set[str]) -> bool:
    """Whether a Python file belongs to a package, by the __init__.py beside it."""
    folder = PurePosixPath(file).parent
    return file.endswith(".py") and str(folder) != "." and f"{folder}/__init__.py" in files


def _before(root: str, inside: list[str], tracked: set[str]) -> str | None:
    """What stands before a package's path in the source: the folder that has most of its files."""
    init = f"{root}/__init__.py"
    places = [
        file.removesuffix(init) for file in tracked if file == init or file.endswith(f"/{init}")
    ]
    counts = {place: sum(place + file in tracked for file in inside) for place in places}
    return min(counts, key=lambda place: (-counts[place], len(place), place), default=None)


def _is_init(file: str) -> bool:
    return PurePosixPath(file).name == "__init__.py"


def _drop_empty(folder: Path) -> None:
    """Remove folders that hold nothing any more, which would still be namespace packages."""
    for inner in sorted(folder.rglob("*"), reverse=True):
        if inner.is_dir() and not inner.is_symlink() and not any(inner.iterdir()):
            inner.rmdir()
