"""Files that are kept in Git LFS: what a repository has of them are pointers."""

from pathlib import Path

from snakedev.base.git import run_git
from snakedev.base.process import CommandError
from snakedev.base.text import counted, first_of

_VERSION = "version https://git-lfs.github.com/spec/v1"
_LONGEST = 1024  # bytes of a pointer, by LFS's specification


def pointers_told(tree: Path) -> str | None:
    """The line about a checkout's files that are pointers; None where there are none."""
    try:
        listed = run_git(["grep", "--cached", "-l", "-z", "-F", "-e", _VERSION], tree)
    except CommandError:
        return None  # git's way to say that there is none
    found = [name for name in listed.split("\0") if name and _is_pointer(tree / name)]
    if not found:
        return None
    what = counted(len(found), "file is a pointer", "files are pointers")
    return f"{what} to Git LFS, whose contents are not fetched: {first_of(found)}"


def _is_pointer(path: Path) -> bool:
    return (
        path.is_file()
        and path.stat().st_size < _LONGEST
        and path.read_bytes().startswith(f"{_VERSION}\n".encode())
    )
