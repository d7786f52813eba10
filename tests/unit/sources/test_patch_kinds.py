"""What a patch says, for each kind of change and of mail that git writes or takes."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.sources.patch_file import FileChange, body, body_digest, details
from tests.unit.repositories import commit, git, repository

LINES = "".join(f"{number}\n" for number in range(20))
Write = Callable[..., Path]


@pytest.fixture
def patch_of(tmp_path: Path) -> Write:
    """Make the patch of a commit that changes files, after git commands that change some too."""

    def write(
        *commands: tuple[str, ...],
        before: Mapping[str, str | bytes],
        after: Mapping[str, str | bytes] | None = None,
        message: str = "Change it",
        options: tuple[str, ...] = (),
    ) -> Path:
        work = tmp_path / "work"
        repository(work, before)
        for command in commands:
            git(work, *command)
        commit(work, after)
        how = ("--cleanup=verbatim", "--allow-empty-message", "--quiet")
        git(work, "commit", "--amend", *how, "-m", message)
        path = tmp_path / "0001-x.patch"
        git(work, "format-patch", "-1", *options, f"--output={path}")
        # git takes it, as the commit that it was made from
        taken = tmp_path / "taken"
        git(tmp_path, "clone", "--quiet", work, taken)
        git(taken, "reset", "--quiet", "--hard", "HEAD~1")
        git(taken, "am", "--quiet", "--keep-cr", "--keep-non-patch", path)
        assert git(taken, "rev-parse", "HEAD^{tree}") == git(work, "rev-parse", "HEAD^{tree}")
        return path

    return write


def mail(headers: str, message: str = "") -> bytes:
    """A patch of a.c under these headers."""
    diff = "diff --git a/a.c b/a.c\n--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-a\n+b\n"
    return f"{headers}\n\n{message}\n---\n a.c | 2 +-\n\n{diff}-- \n2.39.5\n\n".encode()


def read(tmp_path: Path, data: bytes):
    """What is read from a file with these bytes."""
    path = tmp_path / "0001-x.patch"
    path.write_bytes(data)
    return details(path)


def test_a_rename_touches_both_names(patch_of: Write) -> None:
    found = details(
        patch_of(
            ("mv", "lib/a b.c", "lib/deep.c"),
            ("mv", "x {1 => 2}.c", "y.c"),
            before={"lib/a b.c": LINES, "x {1 => 2}.c": LINES + "x\n"},
            after={"lib/deep.c": LINES + "more\n"},
            options=("-M",),
        )
    )
    assert found.files == ("lib/a b.c", "lib/deep.c", "x {1 => 2}.c", "y.c")
    assert found.changes == (
        FileChange(path="lib/deep.c", added=1, removed=0, kind="renamed"),
        FileChange(path="y.c", added=0, removed=0, kind="renamed"),
    )


def test_a_copy_adds_a_file(patch_of: Write) -> None:
    found = details(
        patch_of(
            before={"a.c": LINES},
            after={"b.c": LINES, "a.c": LINES + "more\n"},
            options=("-C",),
        )
    )
    assert [(change.path, change.kind) for change in found.changes] == [
        ("a.c", "changed"),
        ("b.c", "added"),
    ]


def test_modes_are_changes_without_lines(patch_of: Write) -> None:
    found = details(
        patch_of(
            ("update-index", "--chmod=+x", "run.sh"),
            ("checkout", "run.sh"),
            before={"run.sh": "x\n", "other.sh": "x\n"},
        )
    )
    assert found.changes == (FileChange(path="run.sh", added=0, removed=0, kind="changed"),)


def test_binary_files_have_no_lines(patch_of: Write) -> None:
    found = details(
        patch_of(
            ("rm", "--quiet", "gone.bin"),
            before={"logo.bin": b"\0ours", "gone.bin": b"\0gone"},
            after={"logo.bin": b"\0theirs", "new.bin": bytes(range(256))},
        )
    )
    assert [(change.path, change.kind) for change in found.changes] == [
        ("gone.bin", "binary"),
        ("logo.bin", "binary"),
        ("new.bin", "binary"),
    ]
    assert (found.added, found.removed) == (0, 0)


def test_paths_that_git_quotes_are_read_as_they_are(patch_of: Write) -> None:
    names = ("grüße.txt", "tab\there.txt", 'with "quotes".txt', "two words.txt")
    path = patch_of(
        ("rm", "--quiet", names[0]),
        before=dict.fromkeys(names, "old\n"),
        after=dict.fromkeys(names[1:], "new\n"),
    )
    assert b'"a/gr\\303\\274\\303\\237e.txt"' in path.read_bytes()
    assert sorted(details(path).files) == sorted(names)


def test_windows_line_ends_are_counted(patch_of: Write) -> None:
    path = patch_of(before={"a.bat": "one\r\ntwo\r\n"}, after={"a.bat": "one\r\n2\r\nthree\r\n"})
    assert b"+2\r\n" in body(path.read_bytes())
    assert details(path).changes == (FileChange(path="a.bat", added=2, removed=1, kind="changed"),)


def test_a_missing_newline_at_the_end_is_no_line(patch_of: Write) -> None:
    path = patch_of(before={"a": "one"}, after={"a": "one\n", "b": "two"})
    assert b"\\ No newline at end of file" in body(path.read_bytes())
    assert [(c.path, c.added, c.removed) for c in details(path).changes] == [
        ("a", 1, 1),
        ("b", 1, 0),
    ]


def test_a_long_subject_is_one_line(patch_of: Write) -> None:
    subject = "Say hi to " + " and ".join(["everybody"] * 12)
    path = patch_of(before={"a": "1\n"}, after={"a": "2\n"}, message=f"{subject}\n\nBecause.\n")
    assert b"\n and" in path.read_bytes()
    found = details(path)
    assert (found.subject, found.message) == (subject, "Because.")


def test_a_subject_keeps_brackets_of_its_own(patch_of: Write) -> None:
    path = patch_of(before={"a": "1\n"}, after={"a": "2\n"}, message="[CPU] Say [hi]")
    assert details(path).subject == "[CPU] Say [hi]"


@pytest.mark.parametrize("message", ["", "Only a subject"])
def test_a_patch_may_say_little(patch_of: Write, message: str) -> None:
    found = details(patch_of(before={"a": "1\n"}, after={"a": "2\n"}, message=message))
    assert (found.subject, found.message) == (message, "")
    assert found.author == "A. Tester <tester@example.org>"


def test_words_of_other_alphabets_are_read(patch_of: Write) -> None:
    names = ("-c", "user.name=Jürgen 王", "-c", "user.email=j@example.org")
    path = patch_of(
        (*names, "commit", "--quiet", "--allow-empty", "-m", "x"),
        before={"a": "1\n"},
        after={"a": "2\n"},
        message="Grüße “alle”, 你好 " * 5 + "\n\nWeil es schön ist.",
    )
    found = details(path)
    assert b"=?UTF-8?q?" in path.read_bytes()
    assert found.subject == " ".join(["Grüße “alle”, 你好"] * 5)
    assert found.message == "Weil es schön ist."


@pytest.mark.parametrize(
    ("sender", "author"),
    [
        ("=?utf-8?q?J=C3=BCrgen_M=C3=BCller?= <j@example.org>", "Jürgen Müller <j@example.org>"),
        ("=?ISO-8859-1?B?SvxyZ2Vu?= <j@example.org>", "Jürgen <j@example.org>"),
        ('"Doe, J." <j@example.org>', "Doe, J. <j@example.org>"),
        ("j@example.org (J. Doe)", "J. Doe <j@example.org>"),
    ],
)
def test_an_author_may_be_written_in_any_way_of_mails(
    tmp_path: Path, sender: str, author: str
) -> None:
    assert read(tmp_path, mail(f"From: {sender}\nSubject: [PATCH] x")).author == author


def test_a_mail_may_be_encoded(tmp_path: Path) -> None:
    headers = (
        "From: A <a@example.org>\nSubject: x\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: quoted-printable"
    )
    found = read(tmp_path, mail(headers, "Gr=C3=BC=C3=9Fe, so=\n weiter"))
    assert found.message == "Grüße, so weiter"
    assert found.files == ("a.c",)


def test_who_forwards_a_patch_is_not_its_author(tmp_path: Path) -> None:
    inside = "From: B <b@example.org>\nDate: Mon, 6 May 2024 23:08:09 +0200\n\nBecause."
    found = read(tmp_path, mail("From: A <a@example.org>\nSubject: [PATCH] x", inside))
    assert (found.author, found.message) == ("B <b@example.org>", "Because.")
    assert found.date is not None and found.date.isoformat() == "2024-05-06T23:08:09+02:00"


@pytest.mark.parametrize("line", ["---", "diff -u of it"])
def test_a_message_ends_where_it_ends_for_git(tmp_path: Path, line: str) -> None:
    headers = "From: A <a@example.org>\nSubject: x"
    found = read(tmp_path, mail(headers, f"Because.\n\n{line}\n\nmore"))
    assert found.message == "Because."
    assert found.files == ("a.c",)


def test_a_diff_that_a_message_quotes_is_taken_for_the_patch(tmp_path: Path) -> None:
    quoted = "diff --git a/b.c b/b.c\nis what git prints"
    data = mail("From: A <a@example.org>\nSubject: x", quoted)
    assert body(data).startswith(b"diff --git a/b.c b/b.c\nis what git prints\n---\n")
    with pytest.raises(UserError, match="does not apply: bad git-diff - inconsistent old filename"):
        read(tmp_path, data)


def test_an_indented_diff_is_part_of_the_message(tmp_path: Path) -> None:
    quoted = " diff --git a/b.c b/b.c\n --- a/b.c"
    data = mail("From: A <a@example.org>\nSubject: x", f"Because of\n\n{quoted}")
    assert body(data).startswith(b"diff --git a/a.c b/a.c\n")
    assert read(tmp_path, data).message == f"Because of\n\n{quoted}"


def test_a_date_that_is_none_is_not_made_up(tmp_path: Path) -> None:
    assert read(tmp_path, mail("From: A <a@b.org>\nDate: soon\nSubject: x")).date is None


def test_a_diff_that_is_cut_off_is_named(tmp_path: Path) -> None:
    data = mail("From: A <a@example.org>\nSubject: x").partition(b"+b\n")[0]
    with pytest.raises(UserError, match=r"0001-x.patch does not apply: corrupt patch at line"):
        read(tmp_path, data)


def test_what_a_patch_says_does_not_hang_on_the_folder_of_scratch_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "repository" / "below"
    repository(inside.parent, {"x": "x\n"})
    inside.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(inside))
    assert read(tmp_path, mail("From: A <a@example.org>\nSubject: elsewhere")).files == ("a.c",)


def test_git_is_asked_once_for_the_same_bytes_and_not_for_a_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = mail("From: A <a@example.org>\nSubject: asked once")
    first = read(tmp_path, data)

    def refuse(*words: object, **options: object) -> None:
        raise AssertionError(words)

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert read(tmp_path, data) == first
    other = tmp_path / "0002-y.patch"
    other.write_bytes(data.replace(b"asked once", b"never asked"))
    assert body_digest(other) == first.body_sha256
