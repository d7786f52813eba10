"""Paths in what patches add that the source has no more, since upstream moved or removed them."""

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from snakedev.workbench.folder import WorkFolder

_PATH = re.compile(r"[\w.+-]+(?:/[\w.+-]+)+")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")


def gone_paths(work: WorkFolder) -> list[str]:
    """A line for each path that a patch's new lines name, and that was there on the earlier pin.

    A path may be named by its end, as `#include` does, and a Python file as a module.
    """
    if work.record.earlier is None:
        return []
    now = _paths(work, "HEAD")
    gone = _paths(work, work.record.earlier) - now
    there, lost = _ends(now), _ends(gone)
    said: dict[str, None] = {}
    for patch in work.patches:
        for file, line in _new_lines(patch.data.decode(errors="replace")):
            for named in _PATH.findall(line):
                parts = [part for part in named.rstrip(".").split("/") if part not in (".", "..")]
                path = _longest_known(parts, there, lost)
                if path in lost and path not in there:
                    said[f"{patch.name} names {path} in {file}, {_instead(path, now)}"] = None
            for named in _MODULE.findall(line):
                for path in _module_files(named.split(".")):
                    if path in now:
                        break
                    if path in gone:
                        said[f"{patch.name} names {named} in {file}, {_instead(path, now)}"] = None
                        break
    return [*said]


def _paths(work: WorkFolder, commit: str) -> set[str]:
    """The files and folders of a commit."""
    return {*work.git("ls-tree", "-r", "-t", "-z", "--name-only", commit).split("\0")}


def _ends(paths: Iterable[str]) -> set[str]:
    """All ends of paths that have a folder in them."""
    parts = (path.split("/") for path in paths)
    return {"/".join(words[at:]) for words in parts for at in range(len(words) - 1)}


def _longest_known(parts: list[str], *known: set[str]) -> str:
    """The longest beginning of a path, with a folder, that is known; empty where none is."""
    tried = ("/".join(parts[:end]) for end in range(len(parts), 1, -1))
    return next((path for path in tried if any(path in paths for paths in known)), "")


def _module_files(words: list[str]) -> Iterator[str]:
    """Where a module may lie, or one that a longer name begins with."""
    for end in range(len(words), 1, -1):
        path = "/".join(words[:end])
        yield from (f"{path}.py", path)


def _new_lines(patch: str) -> Iterator[tuple[str, str]]:
    """The lines that a patch adds, each with its file."""
    file = ""
    for line in patch.splitlines():
        if line.startswith("+++ b/"):
            file = line.removeprefix("+++ b/")
        elif line.startswith("+"):
            yield file, line[1:]


def _instead(path: str, now: set[str]) -> str:
    """What the source has of that name."""
    name = PurePosixPath(path).name
    same = sorted(one for one in now if PurePosixPath(one).name == name)
    has = f"it has {same[0]}" if len(same) == 1 else "look where it went"
    return f"which the source does not have any more: {has}"
