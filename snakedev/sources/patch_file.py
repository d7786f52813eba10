"""Patch series: which files are in one, what of them is identity, what they say of themselves."""

import hashlib
import re
from datetime import datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Literal

from unidiff import PatchedFile, PatchSet

from snakedev.base.errors import UserError
from snakedev.base.records import Record


class PatchRecord(Record):
    """A patch as records and reports name it."""

    name: str
    subject: str
    author: str
    files: tuple[str, ...]
    body_sha256: str


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
    kept = [line for line in lines if not re.match(rb"index [0-9a-f]+\.\.[0-9a-f]+", line)]
    return b"".join(kept)


def files(data: bytes) -> tuple[str, ...]:
    """The files that a patch touches."""
    found = re.findall(rb"^diff --git a/(\S+) b/", body(data), re.MULTILINE)
    return tuple(file.decode(errors="replace") for file in found)


def body_digest(path: Path) -> str:
    """sha256 of a patch's diff; raises UserError for a file that holds none."""
    found = body(path.read_bytes())
    if not found:
        raise UserError(f"{path}: no diff in it: a patch is a file as `git format-patch` writes it")
    return hashlib.sha256(found).hexdigest()


def describe(path: Path) -> PatchRecord:
    """A patch's subject, author and files; UserError when it is no `git format-patch` file."""
    data = path.read_bytes()
    message = message_from_bytes(data, policy=policy.default)
    if not message["From"] or not message["Subject"]:
        raise UserError(
            f"{path}: it has no From and Subject lines: write it with `git format-patch`, so that "
            "it says who changed what and why"
        )
    sender = message["From"].addresses[0]
    subject = re.sub(r"^\[PATCH[^\]]*\]\s*", "", " ".join(str(message["Subject"]).split()))
    return PatchRecord(
        name=path.name,
        subject=subject,
        author=f"{sender.display_name} <{sender.addr_spec}>",
        files=files(data),
        body_sha256=body_digest(path),
    )


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


def details(path: Path) -> PatchDetails:
    """All that a patch file says of itself; raises UserError as `patch_file.describe`."""
    described = describe(path)
    data = path.read_bytes()
    mail = message_from_bytes(data, policy=policy.default)
    date = mail["Date"]
    return PatchDetails(
        **described.model_dump(),
        date=date.datetime if date else None,
        message=_message(mail.get_content()),
        changes=tuple(
            FileChange(path=file.path, added=file.added, removed=file.removed, kind=_kind_of(file))
            for file in PatchSet(body(data).decode(errors="replace"))
        ),
    )


def _message(content: str) -> str:
    """A mail's text up to the line that git puts below a commit message."""
    end = re.compile(r"^(?:---\s*$|diff --git )", re.MULTILINE)
    return end.split(content, maxsplit=1)[0].strip()


def _kind_of(file: PatchedFile) -> ChangeKind:
    if file.is_binary_file:
        return "binary"
    if file.is_rename:
        return "renamed"
    if file.is_added_file:
        return "added"
    return "removed" if file.is_removed_file else "changed"
