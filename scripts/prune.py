"""What the present configuration does not reach in the store, and its removal.

Downloads, git mirrors and caches stay: they are what the next pin is made from.
"""

import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.job import Job
from scripts.layout import Layout

# Where keyed folders lie under results/, each named by its key alone or by NAME-KEY.
_STORES = (
    "sources/*/*",
    "crates/*/*",
    "envs/*",
    "build/*/*/*",
    "wheels/*/*/*",
    "models/*/*",
    "smoke/*/*/*",
)
_KEYED = re.compile(r"(?:.+-)?[0-9a-f]{16}")


@dataclass(frozen=True)
class Unreached:
    """A keyed folder that nothing in the configuration asks for."""

    folder: Path
    size: int
    """Bytes that its removal frees: files that have another name elsewhere do not count."""


def unreached(layout: Layout, reached: Iterable[Path]) -> list[Unreached]:
    """The keyed folders that are not among ``reached``, largest first."""
    kept = set(reached)
    found = [
        Unreached(folder, _freed(folder))
        for store in _STORES
        for folder in layout.root.glob(store)
        if _KEYED.fullmatch(folder.name)
        and folder.is_dir()
        and not folder.is_symlink()
        and folder not in kept
    ]
    return sorted(found, key=lambda one: (-one.size, one.folder))


def prune(found: list[Unreached], confirm: Callable[[str], bool], running: Job) -> int:
    """List folders, ask, and remove them; returns the bytes that were freed."""
    if not found:
        running.say("nothing to remove: the configuration reaches all there is")
        return 0
    for one in found:
        running.say(f"{one.size / 1e6:10.1f} MB  {one.folder}")
    total = sum(one.size for one in found)
    if not confirm(f"remove these {len(found)} folders and free {total / 1e6:.1f} MB?"):
        running.say("nothing was removed")
        return 0
    for one in found:
        # out of the way first, so that a killed removal leaves no half of an artifact
        doomed = one.folder.with_name(f".doomed-{one.folder.name}")
        one.folder.rename(doomed)
        shutil.rmtree(doomed)
    running.say(f"removed {len(found)} folders, {total / 1e6:.1f} MB")
    return total


def asked_on_the_terminal(question: str) -> bool:
    """Whether the person at the terminal says yes; no where there is no terminal."""
    try:
        with open("/dev/tty", "w") as shown, open("/dev/tty") as typed:
            print(f"{question} [y/N]", end=" ", file=shown, flush=True)
            return typed.readline().strip().lower() in ("y", "yes")
    except OSError:
        return False


def _freed(folder: Path) -> int:
    files = (path.lstat() for path in folder.rglob("*") if not path.is_dir())
    return sum(file.st_size for file in files if file.st_nlink == 1)
