"""Which files of tests a suite has, and what of them is left out."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.config.upstream_tests import UpstreamTests

# As pytest finds them where a project does not say otherwise.
_PATTERNS = ("test_*.py", "*_test.py")


def copied(suite: UpstreamTests, tree: Path, folder: Path, place: str) -> Path:
    """Copy what a suite's tests need out of a source tree; returns where pytest runs.

    ``place`` names the suite in config.yaml, for the UserError that says what the tree lacks.
    """
    for name in suite.copied:
        source, target = tree / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        elif source.is_file():
            shutil.copy(source, target)
        else:
            raise UserError(f"config.yaml: {place}.copied: the source has no {name}")
    started = folder / suite.folder
    if not started.is_dir():
        raise UserError(f"config.yaml: {place}.folder: {suite.folder} is not in what is copied")
    return started


def sessions(suite: UpstreamTests, folder: Path, place: str) -> list[dict[str, tuple[str, ...]]]:
    """What each session runs: by file, what pytest is asked for, the file or tests of it.

    A file that several entries name runs with the first. Raises UserError for an entry that names
    nothing, and for an exception from a test or file that there is not.
    """
    for path in suite.left_out:
        if not (folder / path.partition("::")[0]).exists():
            raise UserError(
                f"config.yaml: {place}: {path}: the source has no such file: take it out"
            )
    seen: set[str] = set()
    found = []
    for entry in suite.paths:
        session: dict[str, tuple[str, ...]] = {}
        for path in [entry] if isinstance(entry, str) else entry:
            files = list(_files(folder, path))
            if not files:
                raise UserError(
                    f"config.yaml: {place}: {path}: the source has no tests of that name: take it "
                    "out"
                )
            for file, asked in files:
                if file not in seen and not _within(file, suite.left_out):
                    session[file] = (*session.get(file, ()), asked)
        seen |= session.keys()
        found.append(session)
    return [session for session in found if session]


def excepted(file: str, left_out: Mapping[str, str]) -> dict[str, str]:
    """The tests of a file that are left out, with the reasons."""
    return {test: why for test, why in left_out.items() if test.partition("::")[0] == file}


def _within(file: str, left_out: Mapping[str, str]) -> bool:
    return any(file == path or file.startswith(f"{path.rstrip('/')}/") for path in left_out)


def _files(folder: Path, path: str) -> Iterator[tuple[str, str]]:
    """The files of an entry, each with what pytest is asked for."""
    name, _, test = path.partition("::")
    place = folder / name
    if place.is_file():
        yield name, path
    elif place.is_dir() and not test:
        files = {file for pattern in _PATTERNS for file in place.rglob(pattern)}
        for file in sorted(files):
            shown = file.relative_to(folder).as_posix()
            yield shown, shown
