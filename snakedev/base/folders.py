"""Folders that users choose by where the project lies and by TMPDIR: what each can serve for."""

import os
import re
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

from snakedev.base.errors import UserError

# a path of Linux (PATH_MAX), and what the deepest file of a build tree or environment needs of it
_PATH_BYTES, _INSIDE_BYTES = 4096, 600
# Cc: line breaks and tabs, which shebang lines, requirement files and logs cannot carry; Zl and Zp:
# other line breaks; Cs: bytes that are not UTF-8
_NOT_IN_A_LINE = {"Cc", "Cs", "Zl", "Zp"}
# what a shell, make or setuptools takes apart, where a path stands among compiler flags
_TAKEN_APART = re.compile(r"[\s\"'$`\\#;&|<>()\[\]{}*?!~]")
# the address of a socket (sun_path of unix(7)), less the name that vLLM or multiprocessing adds
_SOCKET_FOLDER_BYTES = 108 - 1 - len("/4c0ab5d1-72ea-4a6b-8c3e-0f8b7b7a9d12")


def refuse_unfit(folder: Path, named: str) -> None:
    """Raise UserError for a folder that programs of the workflow cannot work in; ``named`` says
    where its path comes from."""
    path = str(folder)
    line_ends = next((c for c in path if unicodedata.category(c) in _NOT_IN_A_LINE), None)
    if line_ends is not None:
        what = f"{line_ends!r}, which does not fit into a line of UTF-8"
    elif os.pathsep in path:
        what = f"'{os.pathsep}', which ends a folder's path in PATH"
    elif len(os.fsencode(path)) > _PATH_BYTES - _INSIDE_BYTES:
        most = _PATH_BYTES - _INSIDE_BYTES
        raise UserError(
            f"{named}: a path of {len(os.fsencode(path))} bytes leaves no room for the files in "
            f"it: it may have {most}"
        )
    else:
        return
    raise UserError(f"{named}: {path!r} has {what}: rename that folder")


def refuse_unwritable(root: Path) -> None:
    """Raise UserError where this user cannot write into a folder, made or not, or those in it."""
    above = next(p for p in (root, *root.absolute().parents) if os.path.exists(p))
    inside = root.iterdir() if os.access(root, os.R_OK | os.X_OK) else ()
    for folder in (above, *sorted(inside)):
        if not folder.is_dir() or os.access(folder, os.W_OK | os.X_OK):
            continue
        user, owner = os.getuid(), folder.stat().st_uid
        if user in (owner, 0):
            mend = f"make it writable, or have {root} be a link to a folder that is"
        else:
            mend = f"user {owner} owns it: `sudo chown -R {user} {folder}`, or run as its owner"
        raise UserError(f"{folder}{os.sep}: user {user} cannot write there: {mend}")


def taken_apart(folder: Path) -> str | None:
    """The first letter of a path at which compiler flags with it would break; None without one."""
    found = _TAKEN_APART.search(str(folder))
    return found[0] if found else None


def for_code() -> Path:
    """A folder for scratch files that are loaded or run: the usual one unless it is mounted noexec.

    Raises UserError where programs can be run from none.
    """
    return _first(
        lambda folder: not os.statvfs(folder).f_flag & os.ST_NOEXEC,
        "is mounted noexec, and checks load what was built from there",
    )


def for_sockets() -> Path:
    """A folder for sockets: the usual one unless their addresses would be too long in it.

    Raises UserError where none is short enough.
    """
    return _first(
        lambda folder: len(os.fsencode(folder)) <= _SOCKET_FOLDER_BYTES,
        f"is longer than {_SOCKET_FOLDER_BYTES} bytes, and sockets lie there",
    )


def _first(fits: Callable[[str], bool], otherwise: str) -> Path:
    try:
        usual = tempfile.gettempdir()
    except FileNotFoundError:
        raise UserError("TMPDIR: no folder for scratch files can be written: name one") from None
    for folder in (usual, "/tmp", "/var/tmp", "/dev/shm"):
        if os.access(folder, os.W_OK | os.X_OK) and fits(folder):
            return Path(folder)
    raise UserError(f"TMPDIR: {usual} {otherwise}: set it to another folder")
