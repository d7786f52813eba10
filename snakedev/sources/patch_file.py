"""Patch files: which are in a series, what of one is identity, and what it says of itself.

The body, which enters keys, is read here; all else is what git makes of the file, asked once for
the same bytes.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import get_args

from pydantic import Field

from snakedev.base.errors import UserError
from snakedev.base.git import said_by_git
from snakedev.base.process import CommandError
from snakedev.base.records import Record
from snakedev.config.explain import one_of
from snakedev.config.fields import Origin
from snakedev.sources.patch_mail import FileChange, Mail, read_mails

SERIES_RECORD = "series.json"
"""The file beside a series that says which pins it was made on."""
UPSTREAM = "upstream.yaml"
"""The one that says where its patches go, and what upstream asks of them."""
BUILD_ONLY = "Build-only"
"""The line of a message that says why upstream's code is the same with a patch, and needs it to be
built here."""
_INDEX = re.compile(rb"^index ([0-9a-f]+)\.\.[0-9a-f]+", re.MULTILINE)
_DIFF = re.compile(rb"^(diff --git |--- [^\n]+\n\+\+\+ [^\n]+\n@@ -)", re.MULTILINE)
# Where the changes begin in other forms that git takes.
_OTHER_DIFF = re.compile(rb"^(diff -|Index: )", re.MULTILINE)
# What makes names or contents of a mail other bytes than they are in its text.
_ENCODED = re.compile(rb"^content-transfer-encoding: *(base64|quoted-printable)", re.I | re.M)
_QUOTED_NAME = re.compile(rb'^(diff |--- |\+\+\+ |rename |copy )[^\n]*"[^\n]*\\', re.MULTILINE)


class PatchCommit(Record):
    """A commit of a patch file, as records name it."""

    subject: str
    author: str


class PatchRecord(Record):
    """A patch as records and reports name it."""

    name: str
    subject: str
    author: str
    """Subject and author of its first commit, where it holds several."""
    files: tuple[str, ...]
    body_sha256: str
    commits: tuple[PatchCommit, ...] = Field(default=(), exclude_if=lambda several: not several)
    """All its commits, where it holds several, such as those of a pull request."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subject of each commit."""
        return tuple(commit.subject for commit in self.commits) or (self.subject,)


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
    Raises UserError for a folder that cannot be read.
    """
    files = [path for place in (folder, folder / origin) for path in _inside(place)]
    return in_order(path for path in files if _why_ignored(path) is None)


def in_order(files: Iterable[Path]) -> tuple[Path, ...]:
    """Patch files in the order in which they are applied: that of their names."""
    return tuple(sorted(files, key=lambda path: path.name))


def ignored(patches: Path, repos: Collection[str]) -> Iterator[str]:
    """A line for each thing in the folder of all series that no series takes, notes aside."""

    def told(path: Path, why: str | None) -> Iterator[str]:
        note = path.name.startswith((".git", "README")) or path.suffix == ".md"
        note |= path.name in (SERIES_RECORD, UPSTREAM) and path.parent.parent == patches
        empty = path.is_dir() and not any(path.iterdir())
        if why is not None and not note and not empty:
            yield f"{path.relative_to(patches.parent)} is left out: {why}"

    for place in _inside(patches):
        if not place.is_dir():
            yield from told(place, "a series is a folder named after its repo")
        elif place.name not in repos:
            right = one_of(place.name, sorted(repos))
            yield from told(place, f"there is no repo '{place.name}': {right}")
        for path in _inside(place) if place.name in repos else ():
            if path.is_dir() and path.name in get_args(Origin):
                for inner in _inside(path):
                    yield from told(inner, _why_ignored(inner))
            elif path.is_dir() and path.suffix != ".patch":
                right = one_of(path.name, get_args(Origin))
                yield from told(path, f"there is no origin '{path.name}': {right}")
            else:
                yield from told(path, _why_ignored(path))


def _why_ignored(path: Path) -> str | None:
    """Why what lies in a folder of patches is none; None for a patch."""
    if path.name.startswith(".") or path.name.endswith("~"):
        return "it is an editor's file"
    if path.suffix != ".patch":
        return "a patch is named NAME.patch"
    return "it is a folder" if path.is_dir() else None


def _inside(folder: Path) -> list[Path]:
    """What lies in a folder, in order; nothing in one that is not there."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UserError(f"{folder}: cannot be read: {error.strerror}") from None


def contents(path: Path) -> bytes:
    """The bytes of a patch file; raises UserError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def body(data: bytes) -> bytes:
    """What of a patch changes the source: its diff, byte for byte.

    Left out are the mail's headers and message, the `index` lines and the signature at the end;
    kept are modes, binary data, white space and the positions of hunks.
    """
    start = _DIFF.search(data)
    if start is None:
        data = diff(data)
        start = _OTHER_DIFF.search(data) or _DIFF.search(data)
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


def diff(data: bytes) -> bytes:
    """The diff of a patch as `git apply` reads it, whatever mail it is in; empty for no patch."""
    try:
        return b"".join(mail.diff for mail in read_mails(data))
    except CommandError:
        return b""


def may_name(data: bytes, paths: Iterable[str]) -> bool:
    """Whether a patch may touch a file whose path has one of ``paths`` in it; git asked no word."""
    start = _DIFF.search(data)
    if any(path.encode() in data[start.start() if start else 0 :] for path in paths):
        return True
    return any(pattern.search(data) for pattern in (_ENCODED, _QUOTED_NAME))


def made_from(data: bytes) -> set[str]:
    """The ids of the files that a patch was made from, as long as its `index` lines give them."""
    ids = {match[1].decode() for match in _INDEX.finditer(diff(data) or data)}
    return {blob for blob in ids if blob.strip("0")}


def body_digest(path: Path) -> str:
    """sha256 of a patch's diff; raises UserError for a file that holds none."""
    return _digest(path, contents(path))


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

    Raises UserError when git finds no author in it, and when its diff is broken.
    """
    data = contents(path)
    mails = commits(path, data)
    first, *others = mails
    more = [f"{mail.subject}\n\n{mail.message}".strip() for mail in others]
    each = tuple(PatchCommit(subject=mail.subject, author=mail.author) for mail in mails)
    return PatchDetails(
        name=path.name,
        subject=first.subject,
        author=first.author,
        files=tuple(dict.fromkeys(file for mail in mails for file in mail.files)),
        body_sha256=_digest(path, data),
        commits=each if others else (),
        date=first.date,
        message="\n\n".join(filter(None, [first.message, *more])),
        changes=tuple(change for mail in mails for change in mail.changes),
    )


def commits(path: Path, data: bytes) -> tuple[Mail, ...]:
    """The commits of a patch file; ``path`` is what it is called. Raises as `details`."""
    try:
        mails = read_mails(data)
    except CommandError as error:
        what = " does not apply" if "apply" in error.command else ": git cannot read it"
        raise UserError(f"{path}{what}: {_reason(error)}") from None
    if not mails or not all(mail.author for mail in mails):
        raise UserError(
            f"{path}: it has no From and Subject lines: write it with `git format-patch`, so that "
            "it says who changed what and why"
        )
    return mails


def _reason(error: CommandError) -> str:
    reason = said_by_git(error)
    if "cannot convert" in reason:
        return f"{reason}: name the charset that its text is in, or write it with git format-patch"
    return re.sub("^git apply: ", "", reason)
