"""What a patch says of itself: who wrote it and when, why, and which lines it changes."""

import re
from datetime import datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Literal

from unidiff import PatchedFile, PatchSet

from snakedev.base.records import Record
from snakedev.sources.patch_file import PatchRecord, body, describe

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
