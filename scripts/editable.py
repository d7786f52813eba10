"""Editable installs: a run environment that takes Python files from work folders.

The packages' own Python files leave site-packages, and scripts/work_finder.py finds those of the
work folder in their place, so that an edit runs at once and a file that was deleted is gone.
Extensions, data and what the build wrote stay installed.
"""

import json
import os
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scripts.errors import UserError
from scripts.git import run_git
from scripts.job import Job
from scripts.records import write_text

_FINDER = Path(__file__).with_name("work_finder.py")
_NAME = "_snakedev_work"


@dataclass(frozen=True)
class WorkInput:
    """A wheel that was built from a work folder."""

    wheel: Path
    source: Path
    """The checkout that it was built from."""
    folder: Path
    """The work folder."""


def install(site_packages: Path, inputs: Sequence[WorkInput], running: Job) -> None:
    """Have the packages of installed wheels imported from the work folders they were built from.

    Raises UserError for a package whose folder has another name in the source: its files cannot
    be told from others.
    """
    site = site_packages.resolve()
    folders: dict[str, str] = {}
    for one in inputs:
        for root, place, files in _packages(one):
            dotted = root.replace("/", ".")
            folders[dotted] = os.path.relpath(one.folder.resolve() / place, site)
            for file in files:
                (site / file).unlink()
            _drop_empty(site / root)
            running.say(f"{dotted} is imported from {os.path.relpath(one.folder / place)}")
    if not folders:
        return
    shutil.copyfile(_FINDER, site / f"{_NAME}.py")
    write_text(site / f"{_NAME}.json", json.dumps(folders, indent=2) + "\n")
    write_text(site / f"{_NAME}.pth", f"import {_NAME}\n")


def _packages(one: WorkInput) -> list[tuple[str, str, list[str]]]:
    """A wheel's packages, their folders in the source, and the files that come from there."""
    with zipfile.ZipFile(one.wheel) as archive:
        modules = {name for name in archive.namelist() if name.endswith(".py")}
        found = []
        tracked = set(run_git(["ls-files", "-z"], one.source).split("\0"))
        for root in package_roots(modules):
            inside = sorted(name for name in modules if name.startswith(f"{root}/"))
            before = _before(root, inside, tracked)
            if before is not None:
                ours = [name for name in inside if before + name in tracked]
                found.append((root, before + root, ours))
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
