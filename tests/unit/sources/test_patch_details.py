"""What a patch says of itself, read from patches that git wrote."""

from datetime import datetime
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.sources.patch_file import FileChange, details
from tests.unit.repositories import commit, git, repository

MESSAGE = """Say “hi” and drop what nobody reads

The first reason,
on two lines.

Upstream: not yet."""


@pytest.fixture
def patch(tmp_path: Path) -> Path:
    """A patch that changes, adds, removes and renames files, of text and not."""
    work = tmp_path / "work"
    text = "".join(f"{number}\n" for number in range(30))
    repository(work, {"a.c": text, "b.c": text + "b\n", "gone": "1\n2\n", "x.bin": b"\0" * 9})
    git(work, "mv", "b.c", "moved to.c")
    git(work, "rm", "--quiet", "gone")
    files = {"a.c": text.replace("7\n", "seven\nand\n", 1), "x.bin": b"\0\1", "new": "- x\n-- \n"}
    commit(work, files)
    date = "2024-05-06T23:08:09+02:00"
    git(work, "commit", "--amend", "--quiet", f"--date={date}", "-m", MESSAGE)
    git(work, "format-patch", "-1", "-o", tmp_path)
    (path,) = tmp_path.glob("*.patch")
    return path


def test_who_when_and_why_are_read_from_it(patch: Path) -> None:
    found = details(patch)
    assert found.subject == "Say “hi” and drop what nobody reads"
    assert found.author == "A. Tester <tester@example.org>"
    assert found.date == datetime.fromisoformat("2024-05-06T23:08:09+02:00")
    assert found.message == MESSAGE.partition("\n\n")[2]


def test_what_it_does_to_each_file_is_counted(patch: Path) -> None:
    found = details(patch)
    assert found.changes == (
        FileChange(path="a.c", added=2, removed=1, kind="changed"),
        FileChange(path="gone", added=0, removed=2, kind="removed"),
        FileChange(path="moved to.c", added=0, removed=0, kind="renamed"),
        FileChange(path="new", added=2, removed=0, kind="added"),
        FileChange(path="x.bin", added=0, removed=0, kind="binary"),
    )
    assert (found.added, found.removed) == (4, 3)


def test_a_patch_without_a_reason_has_none(tmp_path: Path, patch: Path) -> None:
    work = tmp_path / "work"
    git(work, "commit", "--amend", "--quiet", "-m", "Say hi")
    git(work, "format-patch", "-1", f"--output={patch}")
    assert details(patch).message == ""


def test_a_date_that_is_missing_is_not_made_up(patch: Path) -> None:
    lines = patch.read_bytes().splitlines(keepends=True)
    patch.write_bytes(b"".join(line for line in lines if not line.startswith(b"Date: ")))
    assert details(patch).date is None


def test_a_file_without_an_author_is_named(patch: Path) -> None:
    patch.write_text(patch.read_text().partition("diff --git")[2])
    with pytest.raises(UserError, match=f"{patch.name}: it has no From and Subject lines"):
        details(patch)
