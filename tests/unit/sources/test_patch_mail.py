"""Patch files in all forms that `git am` takes: what is recorded is what git makes of them."""

import base64
import quopri
import re
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.recipes.vllm import KERNELS
from snakedev.sources.patch_file import body, details
from snakedev.sources.source import apply_series
from snakedev.wheels.kernel_patches import Behind
from tests.unit.repositories import commit, git, repository

HEAD = (
    b"From: A <a@example.org>\nDate: Mon, 6 May 2024 23:08:09 +0200\nSubject: [PATCH] Change it\n"
)
DIFF = b"diff --git a/a.c b/a.c\n--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-a\n+b\n"
END = b"-- \n2.39.5\n\n"
SEPARATOR = b"From 1111111111111111111111111111111111111111 Mon Sep 17 00:00:00 2001\n"
UTF8 = b"MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: "


def mail(head: bytes = HEAD, diff: bytes = DIFF, message: bytes = b"Because.") -> bytes:
    return head + b"\n" + message + b"\n---\n a.c | 2 +-\n\n" + diff + END


def encoded(how: str, diff: bytes = DIFF, message: bytes = b"Because.") -> bytes:
    """A mail in one of the encodings of mails."""
    _, _, rest = mail(diff=diff, message=message).partition(b"\n\n")
    text = base64.encodebytes(rest) if how == "base64" else quopri.encodestring(rest)
    return HEAD + UTF8 + how.encode() + b"\n\n" + text


def mailbox(*diffs: bytes) -> bytes:
    """Several commits in one file, as a forge gives those of a pull request."""
    heads = [HEAD.replace(b"PATCH", b"PATCH %d/9" % n) + b"X: 1\n" for n in range(1, 10)]
    return b"".join(
        SEPARATOR + mail(head.replace(b"Change it", b"Step %d" % n), diff, b"Reason %d." % n)
        for n, (head, diff) in enumerate(zip(heads, diffs, strict=False), 1)
    )


def taken(tmp_path: Path, running: Job, data: bytes, files: dict[str, bytes]) -> Path:
    """Have a source's patches applied; returns the patch, after comparing it with the commits."""
    repository(tmp_path / "tree", files)
    path = tmp_path / "0001-x.patch"
    path.write_bytes(data)
    apply_series(tmp_path / "tree", [path], running)
    said = git(tmp_path / "tree", "log", "--reverse", "--format=%s|%an <%ae>", "HEAD", "-99")
    found = details(path)
    each = found.commits or (found,)
    assert [f"{one.subject}|{one.author}" for one in each] == said.split("\n")[1:]
    words = ("log", "--format=", "--name-status", "-z", "-M", "HEAD", f"-{len(each)}")
    words = git(tmp_path / "tree", *words).split("\0")
    assert set(found.files) == {word for word in words if not re.fullmatch(r"\n?[AMDR]?\d*", word)}
    return path


FORMS = {
    "base64": encoded("base64"),
    "quoted-printable": encoded("quoted-printable"),
    "no git diff": mail(diff=DIFF.partition(b"\n")[2]),
    "diff -ru": mail(diff=DIFF.replace(b"diff --git", b"diff -ru")),
    "svn": mail(diff=b"Index: a.c\n" + b"=" * 67 + b"\n" + DIFF.partition(b"\n")[2]),
    "a header of other names": mail(diff=DIFF.replace(b"git a/a.c", b"git a/a.c.orig")),
    "other prefixes": mail(diff=DIFF.replace(b" a/", b" old/").replace(b" b/", b" new/")),
    "raw UTF-8": mail(HEAD.replace(b"From: A", "From: Jürgen 王".encode())),
    "Mercurial": b"# HG changeset patch\n# User A <a@b.org>\n# Date 1263983383 -7200\nChange it\n\n"
    + DIFF,
    "StGit": b"Change it\n\nFrom: A <a@b.org>\n\nBecause.\n---\n\n" + DIFF,
    "no subject": mail(HEAD.partition(b"Subject")[0]),
    "counts left out": mail(diff=DIFF.replace(b"-1 +1", b"-1,1 +1,1")),
    "a footer of a list": mail() + b"_______\nlist@example.org\n",
}


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS)
def test_what_git_takes_is_recorded(tmp_path: Path, running: Job, data: bytes) -> None:
    path = taken(tmp_path, running, data, {"a.c": b"a\n"})
    assert details(path).files == ("a.c",)
    assert b"+b\n" in body(data) and b"Because" not in body(data)


@pytest.mark.parametrize("forms", [("StGit", "raw UTF-8"), ("svn", "Mercurial", "StGit")])
def test_a_series_may_have_files_of_several_forms(
    tmp_path: Path, running: Job, forms: tuple[str, ...]
) -> None:
    repository(tmp_path / "tree", {"a.c": b"a\n"})
    paths = []
    for number, form in enumerate(forms):
        paths.append(tmp_path / f"{number}.patch")
        content = b"-%d\n+%d" % (number, number + 1) if number else b"-a\n+1"
        paths[-1].write_bytes(FORMS[form].replace(b"-a\n+b", content))
    apply_series(tmp_path / "tree", paths, running)
    said = git(tmp_path / "tree", "log", "--reverse", "--format=%s").split("\n")
    assert said[1:] == [details(path).subject for path in paths] == ["Change it"] * len(forms)


@pytest.mark.parametrize("how", ["--attach", "--inline"])
def test_a_patch_as_an_attachment_is_recorded(tmp_path: Path, running: Job, how: str) -> None:
    repository(tmp_path / "work", {"a.c": "a\n"})
    commit(tmp_path / "work", {"a.c": "b\n"})
    git(tmp_path / "work", "commit", "--quiet", "--amend", "-m", "Grüße\n\nWeil es schön ist.")
    git(tmp_path / "work", "format-patch", "-1", how, f"--output={tmp_path / 'mail'}")
    path = taken(tmp_path, running, (tmp_path / "mail").read_bytes(), {"a.c": b"a\n"})
    assert details(path).message == "Weil es schön ist."


def test_a_part_without_gits_header_is_in_the_body() -> None:
    both = mail(diff=DIFF.partition(b"\n")[2] + SECOND)
    assert body(both) != body(both.replace(b"-a\n+b", b"-a\n+x"))


def test_a_decoded_mail_has_the_body_of_a_plain_one() -> None:
    assert body(encoded("base64")) == body(mail())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x b/y.c", "x b/z.c"),
        ("a => b/c.h", "d => e/c.h"),
        ("x{a => b}/c.h", "x{q}/c.h"),
        ("new\nline", "other\n copy c (90%)"),
        ("rename a (100%)", " rename b (100%)"),
        ("p/csrc/k.cu", "csrc/k.cu"),
        ("a/b/k.cu", "a/k.cu"),
        ("grüße", 'q"uoted\\'),
    ],
)
def test_both_names_of_a_file_are_those_that_git_reads(
    tmp_path: Path, running: Job, before: str, after: str
) -> None:
    repository(tmp_path / "work", {before: "a\n" * 9, "z.c": "a\n"})
    (tmp_path / "work" / after).parent.mkdir(parents=True, exist_ok=True)
    git(tmp_path / "work", "mv", before, after)
    commit(tmp_path / "work", {"b.c": "n\n", "z.c": "b\n"})
    git(tmp_path / "work", "format-patch", "-1", "-M", f"--output={tmp_path / 'mail'}")
    files = {before: b"a\n" * 9, "z.c": b"a\n"}
    found = details(taken(tmp_path, running, (tmp_path / "mail").read_bytes(), files))
    assert {(change.path, change.kind) for change in found.changes} == {
        (after, "renamed"),
        ("b.c", "added"),
        ("z.c", "changed"),
    }


SECOND = DIFF.replace(b"-a\n+b", b"-b\n+c")
NEW = b"diff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+n\n"


def test_a_file_of_several_commits_is_recorded_with_all_of_them(
    tmp_path: Path, running: Job
) -> None:
    path = taken(tmp_path, running, mailbox(DIFF, SECOND, NEW), {"a.c": b"a\n"})
    found = details(path)
    assert found.subjects == ("Step 1", "Step 2", "Step 3")
    assert found.message == "Reason 1.\n\nStep 2\n\nReason 2.\n\nStep 3\n\nReason 3."
    assert found.files == ("a.c", "n")
    assert (found.added, found.removed) == (3, 2)


KERNEL = DIFF.replace(b"a.c", b"csrc/k.cu")
HIDDEN = {
    "base64": encoded("base64", KERNEL),
    "a soft line break": encoded("quoted-printable", KERNEL).replace(b"csrc", b"cs=\nrc"),
    "octal digits": mail(diff=KERNEL.replace(b"a/csrc/k.cu", b'"a/\\143src/k.cu"').replace(
        b"b/csrc/k.cu", b'"b/\\143src/k.cu"')),
    "a part without git's header": mail(diff=KERNEL.partition(b"\n")[2] + DIFF),
    "a commit that says nothing": mailbox(KERNEL, SECOND).replace(
        b"Reason 2.", b"Kernels-unchanged: as only a.c changes"
    ),
    "the name that it had": mail(
        diff=b"diff --git a/csrc/k => x.cu b/k.cu\nsimilarity index 100%\n"
        b"rename from csrc/k => x.cu\nrename to k.cu\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("data", HIDDEN.values(), ids=HIDDEN)
def test_no_form_of_a_patch_hides_what_it_does_to_kernels(data: bytes) -> None:
    (line,) = Behind("vllm", "cuda", KERNELS).patch_problems([("0001-x.patch", data)])
    assert line.startswith("0001-x.patch: it changes csrc/k")


@pytest.mark.parametrize(
    ("head", "charset"),
    [
        (HEAD.replace(b"From: A", b"From: =?klingon?q?J=C3=BCrgen?="), "klingon"),
        (HEAD.replace(b"From: A", b"From: =?us-ascii?q?J=C3=BCrgen?="), "us-ascii"),
    ],
)
def test_a_charset_that_git_refuses_is_named(tmp_path: Path, head: bytes, charset: str) -> None:
    path = tmp_path / "0001-x.patch"
    path.write_bytes(mail(head))
    with pytest.raises(UserError) as raised:
        details(path)
    assert str(raised.value) == (
        f"{path}: git cannot read it: cannot convert from {charset} to UTF-8: name the charset "
        f"that its text is in, or write it with git format-patch"
    )


@pytest.mark.parametrize("line_ends", ["patch", "file"])
def test_line_ends_that_keep_a_patch_off_are_visible(
    tmp_path: Path, running: Job, line_ends: str
) -> None:
    of_file, of_patch = (b"\r\n", b"\n") if line_ends == "file" else (b"\n", b"\r\n")
    repository(tmp_path / "tree", {"a.c": b"a" + of_file})
    path = tmp_path / "0001-x.patch"
    path.write_bytes(mail(diff=DIFF.replace(b"-a\n+b\n", b"-a" + of_patch + b"+b" + of_patch)))
    with pytest.raises(UserError) as raised:
        apply_series(tmp_path / "tree", [path], running)
    first, *rest = str(raised.value).splitlines()
    assert first == (
        f"{path} does not apply: patch failed: a.c:1; a.c: patch does not apply: it fits but for "
        f"the ends of lines or other white space (^M is CRLF's)"
    )
    assert ("-a^M" in rest) == (line_ends == "patch")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xef\xbb\xbf" + mail(), "Patch format detection failed."),
        (mail(b"Subject: x\n"), "empty ident name (for <>) not allowed"),
        (mail(diff=NEW.replace(b"b/n", b"b/.git/x")), "invalid path '.git/x'"),
        (mail(HEAD.replace(b"From: A", b"From: =?klingon?q?A?=")), "cannot convert from klingon"),
    ],
)
def test_why_git_takes_no_patch_is_said(
    tmp_path: Path, running: Job, data: bytes, reason: str
) -> None:
    repository(tmp_path / "tree", {"a.c": b"a\n"})
    path = tmp_path / "0001-x.patch"
    path.write_bytes(data)
    with pytest.raises(UserError) as raised:
        apply_series(tmp_path / "tree", [path], running)
    assert str(raised.value).startswith(f"{path} does not apply: {reason}")
