"""Patch files: which are in a series, what of one is identity, and what it says of itself.

The only reader of patch mails. The body, which enters keys, is read here; all else is what git
makes of the file, asked once for the same bytes.
"""

import hashlib
import re
import tempfile
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Literal

from snakedev.base.errors import UserError
from snakedev.base.git import feed_git, run_git
from snakedev.base.process import CommandError
from snakedev.base.records import Record

_INDEX = re.compile(rb"^index ([0-9a-f]+)\.\.[0-9a-f]+", re.MULTILINE)
# What `git apply --summary` prints of files that come, go or get another name.
_MADE_OR_GONE = re.compile(r" (?P<what>create|delete) mode \d+ (?P<path>.+)")
_OTHER_NAME = re.compile(
    r" (?P<what>rename|copy) ((?P<folder>.+/)\{)?(?P<before>.+) => (?P<after>.+?)(?(folder)\}) "
    r"\(\d+%\)"
)


class PatchRecord(Record):
    """A patch as records and reports name it."""

    name: str
    subject: str
    author: str
    files: tuple[str, ...]
    body_sha256: str


ChangeKind = Literal["changed", "added", "removed", "renamed", "binary"]


class FileChange(Record):
    """What a patch does to one file."""

    path: str
    """Its path with the patch applied; where the patch removes it, the path that it had."""
    added: int
    removed: int
    """Lines; both are 0 for binary content and for a change of mode or name alone."""
    kind: ChangeKind


class PatchDetails(PatchRecord):
    """A patch as the patch report names it."""

    date: datetime | None
    """When it was written, with the author's time zone; None where the patch does not say."""
    message: str
    """The commit message below its subject: why the patch is there."""
    changes: tuple[FileChange, ...]

    @property
    def added(self) -> int:
        """Lines that it adds."""
        return sum(change.added for change in self.changes)

    @property
    def removed(self) -> int:
        """Lines that it removes."""
        return sum(change.removed for change in self.changes)


def series(folder: Path, origin: str) -> tuple[Path, ...]:
    """A repo's patches in name order: those of every origin, and those of ``origin`` alone.

    The latter stand in a sub-folder named after the origin; a missing folder is an empty series.
    """
    files = [*folder.glob("*.patch"), *(folder / origin).glob("*.patch")]
    return tuple(sorted(files, key=lambda path: path.name))


def body(data: bytes) -> bytes:
    """What of a patch changes the source: its diff, byte for byte.

    Left out are the mail's headers and message, the `index` lines and the signature at the end;
    kept are modes, binary data, white space and the positions of hunks.
    """
    start = re.search(rb"^diff --git ", data, re.MULTILINE)
    if start is None:
        return b""
    lines = data[start.start() :].splitlines(keepends=True)
    # git format-patch ends a patch with "-- \n" and git's version; a removed line "- " in a hunk
    # looks the same but is never followed by just that
    for offset in (2, 3):
        if len(lines) > offset and lines[-offset].rstrip(b"\r\n") == b"-- ":
            lines = lines[:-offset]
            break
    return b"".join(line for line in lines if not _INDEX.match(line))


def made_from(data: bytes) -> set[str]:
    """The ids of the files that a patch was made from, as long as its `index` lines give them."""
    ids = {match[1].decode() for match in _INDEX.finditer(data)}
    return {blob for blob in ids if blob.strip("0")}


def body_digest(path: Path) -> str:
    """sha256 of a patch's diff; raises UserError for a file that holds none."""
    return _digest(path, path.read_bytes())


def _digest(path: Path, data: bytes) -> str:
    found = body(data)
    if not found:
        raise UserError(f"{path}: no diff in it: a patch is a file as `git format-patch` writes it")
    return hashlib.sha256(found).hexdigest()


def describe(path: Path) -> PatchRecord:
    """A patch as records name it; raises UserError as `details` does."""
    return PatchRecord.model_validate(
        details(path).model_dump(include=set(PatchRecord.model_fields))
    )


def details(path: Path) -> PatchDetails:
    """All that a patch file says of itself, as git reads it.

    Raises UserError when it is no `git format-patch` file, and when its diff is broken.
    """
    return read(path, path.read_bytes())


def read(path: Path, data: bytes) -> PatchDetails:
    """What the bytes of a patch file say; ``path`` is what it is called. Raises as `details`."""
    try:
        mail = _ask_git(data)
    except CommandError as error:
        said = error.tail[-1] if error.tail else str(error)
        reason = re.sub(r"^(error|fatal): (git apply: )?", "", said)
        raise UserError(f"{path} does not apply: {reason}") from None
    if not mail.author or mail.subject is None:
        raise UserError(
            f"{path}: it has no From and Subject lines: write it with `git format-patch`, so that "
            "it says who changed what and why"
        )
    return PatchDetails(
        name=path.name,
        subject=mail.subject,
        author=mail.author,
        files=mail.files,
        body_sha256=_digest(path, data),
        date=mail.date,
        message=mail.message,
        changes=mail.changes,
    )


@dataclass(frozen=True)
class _Mail:
    """What git reads in a patch mail."""

    author: str
    """Empty where git finds none."""
    subject: str | None
    date: datetime | None
    message: str
    files: tuple[str, ...]
    """Where a file gets another name, both."""
    changes: tuple[FileChange, ...]


@cache
def _ask_git(data: bytes) -> _Mail:
    """Have git read a patch mail as `git am` does; raises CommandError when it cannot."""
    with tempfile.TemporaryDirectory(prefix="snakedev-patch-") as name:
        folder = Path(name).resolve()
        # paths are those of the patch, whatever repository the folder for scratch files lies in
        alone = {"GIT_CEILING_DIRECTORIES": str(folder.parent)}
        said = feed_git(["mailinfo", "-b", "message", "patch"], folder, data, alone)
        lines = said.decode(errors="replace").split("\n")
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        message = (folder / "message").read_text(encoding="utf-8", errors="replace")
        files: tuple[str, ...] = ()
        changes: tuple[FileChange, ...] = ()
        if (folder / "patch").read_bytes().strip():
            asked = run_git(["apply", "--numstat", "-z", "--summary", "patch"], folder, alone)
            files, changes = _read_changes(asked)
    author = f"{headers['Author']} <{headers['Email']}>" if headers.get("Author") else ""
    return _Mail(
        author=author,
        subject=headers.get("Subject"),
        date=_date(headers.get("Date")),
        message=message.strip(),
        files=files,
        changes=changes,
    )


def _read_changes(printed: str) -> tuple[tuple[str, ...], tuple[FileChange, ...]]:
    """The files and changes in what `git apply --numstat -z --summary` prints."""
    *rows, summary = printed.split("\0")
    kinds: dict[str, ChangeKind] = {}
    earlier: dict[str, str] = {}
    for line in summary.split("\n"):
        if match := _MADE_OR_GONE.fullmatch(line):
            kinds[match["path"]] = "added" if match["what"] == "create" else "removed"
        elif match := _OTHER_NAME.fullmatch(line):
            folder = match["folder"] or ""
            path = folder + match["after"]
            kinds[path] = "renamed" if match["what"] == "rename" else "added"
            if match["what"] == "rename":
                earlier[path] = folder + match["before"]
    files: list[str] = []
    changes: list[FileChange] = []
    for row in rows:
        added, removed, path = row.split("\t", 2)
        files += [earlier[path], path] if path in earlier else [path]
        kind = "binary" if added == "-" else kinds.get(path, "changed")
        counts = (0, 0) if kind == "binary" else (int(added), int(removed))
        changes.append(FileChange(path=path, added=counts[0], removed=counts[1], kind=kind))
    return tuple(files), tuple(changes)


def _date(written: str | None) -> datetime | None:
    """A mail's date; None where it has none that can be read."""
    try:
        return parsedate_to_datetime(written) if written else None
    except ValueError:
        return None
