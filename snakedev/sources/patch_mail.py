"""What git reads in a patch file: its mails, as `git am` takes them, and the changes of each."""

import re
import tempfile
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Literal

from snakedev.base.git import feed_git, run_git
from snakedev.base.process import CommandError
from snakedev.base.records import Record

# What folders of mails begin with, which is no mail.
_MAILER = "Mail System Internal Data"

ChangeKind = Literal["changed", "added", "removed", "renamed", "binary"]


class FileChange(Record):
    """What a patch does to one file."""

    path: str
    """Its path with the patch applied; where the patch removes it, the path that it had."""
    added: int
    removed: int
    """Lines; both are 0 for binary content and for a change of mode or name alone."""
    kind: ChangeKind


@dataclass(frozen=True)
class Mail:
    """A commit as a patch mail says it."""

    author: str
    """Empty where git finds none."""
    subject: str
    date: datetime | None
    message: str
    """Without the subject."""
    files: tuple[str, ...]
    """Where a file gets another name, both."""
    changes: tuple[FileChange, ...]
    diff: bytes
    """All below the message, decoded."""


@cache
def read_mails(data: bytes) -> tuple[Mail, ...]:
    """Have git read the mails of a patch file; raises CommandError when it cannot."""
    with tempfile.TemporaryDirectory(prefix="snakedev-patch-") as name:
        folder = Path(name).resolve()
        (folder / "file").write_bytes(data)
        if data.startswith(b"From ") + data.count(b"\nFrom ") > 1:
            run_git(["mailsplit", "-d4", "-b", "--keep-cr", f"-o{folder}", "file"], folder)
        else:
            (folder / "0001").write_bytes(data)
        mails = _mails_in(folder)
        if not any(mail.author for mail in mails) and (form := _as_mails(folder)):
            mails = _mails_in(form)
    return mails


def _mails_in(folder: Path) -> tuple[Mail, ...]:
    """The mails that lie in a folder as files named by numbers."""
    files = sorted(folder.glob("[0-9]" * 4))
    mails = [_mail(file.read_bytes(), folder) for file in files]
    return tuple(mail for mail in mails if not mail.author.startswith(_MAILER))


def _as_mails(folder: Path) -> Path | None:
    """The folder in which `git am` makes mails of patches in other forms (Mercurial's, StGit's).

    It stops before it applies any, since the index of the repository is not clean. Returns None
    where it knows no such form.
    """
    repository = folder / "repository"
    run_git(["init", "--quiet", repository], folder)
    (repository / "waiting").touch()
    run_git(["add", "waiting"], repository)
    try:
        nobody = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")
        run_git([*nobody, "am", "--keep-cr", folder / "file"], repository)
    except CommandError:
        pass
    made = repository / ".git/rebase-apply"
    return made if made.is_dir() else None


def _mail(data: bytes, folder: Path) -> Mail:
    said = feed_git(["mailinfo", "-b", "message", "patch"], folder, data)
    lines = said.decode(errors="replace").split("\n")
    headers = dict(line.split(": ", 1) for line in lines if ": " in line)
    message = (folder / "message").read_text(encoding="utf-8", errors="replace").strip()
    subject = headers.get("Subject", "")
    if not subject:
        subject, _, message = message.partition("\n")
    diff = (folder / "patch").read_bytes()
    files, changes = _read_changes(diff, folder) if diff.strip() else ((), ())
    return Mail(
        author=f"{headers['Author']} <{headers['Email']}>" if headers.get("Author") else "",
        subject=subject,
        date=_date(headers.get("Date")),
        message=message.strip(),
        files=files,
        changes=changes,
        diff=diff,
    )


def _read_changes(diff: bytes, folder: Path) -> tuple[tuple[str, ...], tuple[FileChange, ...]]:
    """The files that a diff touches, and its changes.

    Git lists the names that files get; of the diff turned round, from its end, those that they
    had. What it says of names in words is not quoted, so these are not taken from there.
    """
    forward, summary = _listed(["--summary"], diff, folder)
    backward = list(reversed(forward))
    if re.search("^ (rename|copy) ", summary, re.MULTILINE):
        backward, _ = _listed(["--reverse"], diff, folder)
    rows = [(*row, before) for row, (_, _, before) in zip(forward, reversed(backward), strict=True)]
    others = re.findall(r"^ (rename|copy) .*\(\d+%\)$", summary, re.MULTILINE)
    if "\n" in "".join(before + path for _, _, path, before in rows):
        others = []  # such a name may look like a line of its own: take copies for renames
    files: list[str] = []
    changes: list[FileChange] = []
    for added, removed, path, before in rows:
        kind: ChangeKind = "changed"
        made = re.search(rf"^ (create|delete) mode \d+ {re.escape(path)}$", summary, re.MULTILINE)
        if before != path and (not others or others.pop(0) == "rename"):
            kind = "renamed"
            files.append(before)
        elif before != path or (made and made[1] == "create"):
            kind = "added"
        elif made:
            kind = "removed"
        files.append(path)
        if added == "-":
            changes.append(FileChange(path=path, added=0, removed=0, kind="binary"))
        else:
            change = FileChange(path=path, added=int(added), removed=int(removed), kind=kind)
            changes.append(change)
    return tuple(dict.fromkeys(files)), tuple(changes)


def _listed(options: list[str], diff: bytes, folder: Path) -> tuple[list[list[str]], str]:
    """The rows of `git apply --numstat`, and what it prints behind them."""
    said = feed_git(["apply", "--numstat", "-z", *options, "-"], folder, diff)
    *rows, rest = said.decode(errors="replace").split("\0")
    return [row.split("\t", 2) for row in rows], rest


def _date(written: str | None) -> datetime | None:
    """A mail's date; None where it has none that can be read."""
    try:
        return parsedate_to_datetime(written) if written else None
    except ValueError:
        return None
