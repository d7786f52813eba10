"""What a release has and git tracks nowhere: folders without files, and `.git` at any depth.

It is kept in the `.git` of each checkout that is made of the release, and laid out from there
beside what git checks out.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_KEPT = Path(".git/untracked")


def set_aside(folder: Path) -> Path | None:
    """Take what git would not track out of a folder that is to be a checkout, into one beside it.

    Folders without files are noted there and stay. Returns None where there is nothing of it.
    """
    aside = Path(tempfile.mkdtemp(prefix=".untracked-", dir=folder.parent))
    for name, inner, files in os.walk(folder):
        place = aside / Path(name).relative_to(folder)
        for entry in [entry for entry in (*inner, *files) if entry.lower() == ".git"]:
            place.mkdir(parents=True, exist_ok=True)
            (Path(name) / entry).rename(place / entry)
        inner[:] = [entry for entry in inner if entry.lower() != ".git"]
        if not inner and all(entry.lower() == ".git" for entry in files):
            place.mkdir(parents=True, exist_ok=True)
    if any(aside.iterdir()):
        return aside
    aside.rmdir()
    return None


def keep(aside: Path, checkout: Path) -> None:
    """Have a checkout keep what was set aside when it was made."""
    aside.rename(checkout / _KEPT)


def copy(checkout: Path, other: Path) -> None:
    """Have another checkout keep what one keeps, in place of what it kept."""
    shutil.rmtree(other / _KEPT, ignore_errors=True)
    if (checkout / _KEPT).is_dir():
        shutil.copytree(checkout / _KEPT, other / _KEPT, symlinks=True)


def lay_out(checkout: Path) -> None:
    """Put what a checkout keeps where the release has it; what is there stays as it is.

    The release's own `.git` has no place: the checkout has one.
    """
    lay_out_folders(checkout)
    for path in _repositories(checkout):
        place = checkout / path
        if path.parent.parts and not os.path.lexists(place) and place.parent.is_dir():
            if (checkout / _KEPT / path).is_dir():
                shutil.copytree(checkout / _KEPT / path, place, symlinks=True)
            else:
                shutil.copy2(checkout / _KEPT / path, place, follow_symlinks=False)


def lay_out_folders(checkout: Path) -> None:
    """Make the folders without files that a checkout keeps, and nothing else of it."""
    for name, inner, _ in os.walk(checkout / _KEPT):
        inner[:] = [entry for entry in inner if entry.lower() != ".git"]
        place = checkout / Path(name).relative_to(checkout / _KEPT)
        if not inner and not os.path.lexists(place):
            place.mkdir(parents=True)


def take_back(checkout: Path) -> None:
    """Remove what was laid out in a checkout and git would not clean away."""
    for path in _repositories(checkout):
        place = checkout / path
        if path.parent.parts and place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        elif path.parent.parts:
            place.unlink(missing_ok=True)


def left_out(checkout: Path) -> str | None:
    """The line about what of a release a checkout has no place for."""
    if any(path.parent == Path() for path in _repositories(checkout)):
        return "left out: the release's own .git, since a source is a git checkout of its own"
    return None


def _repositories(checkout: Path) -> Iterator[Path]:
    """The paths of the `.git` files and folders that a checkout keeps."""
    kept = checkout / _KEPT
    for name, inner, files in os.walk(kept):
        for entry in (*inner, *files):
            if entry.lower() == ".git":
                yield Path(name).relative_to(kept) / entry
        inner[:] = [entry for entry in inner if entry.lower() != ".git"]
