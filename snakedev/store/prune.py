"""What no configuration reaches in the store, and its removal.

Kept is what the present configuration reaches, and what any other workflow that shares the store
reached at its last run. Downloads, git mirrors and caches stay: they are what the next pin is
made from.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from snakedev.base.job import Job
from snakedev.store.layout import Layout
from snakedev.store.publish import remove
from snakedev.store.roots import Root, read_roots, root_file
from snakedev.store.specs import KEPT, BenchSpec

# Where keyed folders lie, each named by its key alone or by NAME-KEY.
_STORES = (*(str(kind.folder(kind.places, "*")) for kind in KEPT), "build/*/*/*")
_KEYED = re.compile(r"(?:.+?-)?((?:work-)?[0-9a-f]{16})")
# What a job has left that was killed on another machine: no job works on one folder for so long.
_SCRATCH_SECONDS = 7 * 24 * 3600
# The small files that say of a keyed artifact what it is and how it was made.
_RECORDS = ("stamps", "specs", "logs", "benchmarks")
_RECORDED = (*(kind.kind for kind in KEPT), BenchSpec.kind)


@dataclass(frozen=True)
class Unreached:
    """A keyed folder that nothing asks for."""

    folder: Path
    size: int
    """Bytes that its removal frees: files that have another name elsewhere do not count."""


def unreached(layout: Layout, reached: Iterable[Path]) -> list[Unreached]:
    """The keyed folders that neither ``reached`` nor another workflow's root names, largest first.

    Raises UserError for a root that cannot be read.
    """
    kept = _places(reached)
    for root in _others(layout).values():
        if not root.gone:
            kept |= _reached_by(layout, root)
    found = [
        Unreached(folder, _freed(folder))
        for folder in _folders(layout)
        if folder.resolve() not in kept
    ]
    return sorted(found, key=lambda one: (-one.size, one.folder))


def prune(
    layout: Layout, reached: Iterable[Path], confirm: Callable[[str], bool], running: Job
) -> int:
    """List what is not reached, ask, and remove it; returns the bytes that were freed.

    What another workflow has come to reach while the question stood is kept. Of what goes, the
    stamps, specs, logs and benchmarks under results/ go too.
    """
    reached = list(reached)
    found = unreached(layout, reached)
    gone = {path: root for path, root in _others(layout).items() if root.gone}
    for one in found:
        running.say(f"{one.size / 1e6:10.1f} MB  {one.folder}")
    _tell_of_others(layout, reached, running)
    total = sum(one.size for one in found)
    if found:
        if not confirm(f"remove these {len(found)} folders and free {total / 1e6:.1f} MB?"):
            running.say("nothing was removed")
            return 0
    else:
        running.say("nothing to remove: all there is, is reached")
    still = {one.folder for one in unreached(layout, reached)}
    removed = [one for one in found if one.folder in still and _remove(one.folder, running)]
    for path in gone:
        path.unlink(missing_ok=True)
    records = _drop_records(layout, reached)
    freed = sum(one.size for one in removed)
    if removed or records:
        running.say(
            f"removed {len(removed)} folders, {freed / 1e6:.1f} MB, and {records} stamps, specs "
            "and logs of what is gone"
        )
    return freed


def asked_on_the_terminal(question: str) -> bool:
    """Whether the person at the terminal says yes; no where there is no terminal."""
    try:
        with open("/dev/tty", "w") as shown, open("/dev/tty") as typed:
            print(f"{question} [y/N]", end=" ", file=shown, flush=True)
            return typed.readline().strip().lower() in ("y", "yes")
    except OSError:
        return False


def _tell_of_others(layout: Layout, reached: Iterable[Path], running: Job) -> None:
    """Say which other workflows keep how much that this one does not reach."""
    own = _places(reached)
    for root in _others(layout).values():
        if root.gone:
            running.say(f"dropped with them, as its folder is gone: {root.owner}")
            continue
        kept = sum(_freed(folder) for folder in _reached_by(layout, root) - own if folder.is_dir())
        last = datetime.fromisoformat(root.when).strftime("%-d %B %Y")
        running.say(f"{kept / 1e6:10.1f} MB  kept for {root.owner} (last run {last})")


def _others(layout: Layout) -> dict[Path, Root]:
    own = root_file(layout)
    return {path: root for path, root in read_roots(layout).items() if path != own}


def _places(folders: Iterable[Path]) -> set[Path]:
    return {folder.resolve() for folder in folders}


def _reached_by(layout: Layout, root: Root) -> set[Path]:
    return _places(layout.shared / folder for folder in root.reached)


def _folders(layout: Layout) -> Iterator[Path]:
    """All keyed folders of the store, of results/ and of results/work, and old scratch folders."""
    homes = {home.resolve(): home for home in (layout.shared, layout.root, layout.work)}
    for home in homes.values():
        for store in _STORES:
            for folder in home.glob(store):
                if folder.is_symlink() or not folder.is_dir():
                    continue
                if _KEYED.fullmatch(folder.name) or _is_old_scratch(folder):
                    yield folder


def _is_old_scratch(folder: Path) -> bool:
    age = time.time() - folder.stat().st_mtime
    return folder.name.startswith(".scratch-") and age > _SCRATCH_SECONDS


def _remove(folder: Path, running: Job) -> bool:
    """Remove a folder; says so where that is not permitted."""
    try:
        remove(folder)
    except FileNotFoundError:
        return False  # another workflow's prune was faster
    except PermissionError as error:
        running.say(f"not removed: {folder}: {error.strerror}")
        return False
    return True


def _drop_records(layout: Layout, reached: Iterable[Path]) -> int:
    """Drop the records of keyed artifacts that are neither reached nor there; how many."""
    named = [folder.name for folder in (*reached, *_folders(layout))]
    kept = {match[1] for name in named if (match := _KEYED.fullmatch(name))}
    dropped = 0
    for place in _RECORDS:
        for kind in _RECORDED:
            for file in (layout.root / place / kind).rglob("*.*"):
                if _KEYED.fullmatch(file.stem) and file.stem not in kept:
                    file.unlink()
                    dropped += 1
    return dropped


def _freed(folder: Path) -> int:
    files = (path.lstat() for path in folder.rglob("*") if not path.is_dir())
    return sum(file.st_size for file in files if file.st_nlink == 1)
