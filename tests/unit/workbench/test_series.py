"""A series of commits as patch files: the same bytes, the right names, in the right folders."""

import pytest

from snakedev.base.errors import UserError
from snakedev.base.git import run_git
from snakedev.workbench import series
from snakedev.workbench.naming import placed
from tests.unit.repositories import commit, git, repository

LINES = "".join(f"line {number}\n" for number in range(30))


@pytest.fixture
def work(tmp_path):
    """A repository with two commits on its base: ONE in a.txt, then TWO in b.txt."""
    folder = tmp_path / "work"
    base = repository(folder, {"a.txt": LINES, "b.txt": LINES})
    change(folder, "a.txt", "line 3", "ONE", "Say one", "2026-01-01T00:00:00Z")
    change(folder, "b.txt", "line 3", "TWO", "Say two", "2026-01-02T00:00:00Z")
    return folder, base


def change(folder, file, old, new, message, date=None):
    path = folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    dated = ("--date", date) if date else ()
    git(folder, "commit", "--quiet", "--all", *dated, "-m", message)


def export(work, folder, existing):
    repo, base = work
    target = placed(series.formatted(repo, base, "HEAD"), existing, folder)
    return series.write_series(target, existing)


def files(folder):
    """The patch files below a folder, in the order of the series."""
    return sorted(folder.rglob("*.patch"), key=lambda path: path.name)


def names(folder):
    return [str(path.relative_to(folder)) for path in files(folder)]


def test_the_same_commits_give_the_same_bytes_whatever_git_is_set_to(work, tmp_path):
    repo, base = work
    before = [patch.data for patch in series.formatted(repo, base, "HEAD")]
    for setting in (
        "format.signOff=true",
        "format.attach=x",
        "format.subjectPrefix=RFC",
        "diff.noprefix=true",
        "diff.algorithm=patience",
        "diff.context=9",
        "diff.renames=copies",
        "core.abbrev=40",
    ):
        key, value = setting.split("=")
        git(repo, "config", key, value)
    (repo / ".git/info/attributes").write_text("*.txt binary\n")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repo), str(clone))
    for place in (repo, clone):
        assert [patch.data for patch in series.formatted(place, base, "HEAD")] == before
    assert before[0].startswith(b"From 0000000000000000000000000000000000000000 ")
    assert b"\n-- \n" not in before[0]


def test_an_export_without_a_change_touches_nothing(work, tmp_path):
    folder = tmp_path / "patches"
    export(work, folder, [])
    assert names(folder) == ["0001-Say-one.patch", "0002-Say-two.patch"]
    assert export(work, folder, files(folder)) == []


def test_an_amended_commit_changes_its_own_file_only(work, tmp_path):
    folder = tmp_path / "patches"
    export(work, folder, [])
    change(work[0], "b.txt", "line 9", "THREE", "Say three")
    git(work[0], "reset", "--quiet", "--soft", "HEAD~1")
    git(work[0], "commit", "--quiet", "--amend", "--no-edit")
    assert export(work, folder, files(folder)) == ["changed 0002-Say-two.patch"]


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        # in its place by its subject already
        ("Say between", ["0001-Say-one", "0002-Say-between", "0002-Say-two"]),
        ("Utter", ["0001-Say-one", "0002-Utter", "0003-Say-two"]),
    ],
)
def test_a_patch_between_two_others_moves_those_after_it_if_it_must(
    work, tmp_path, subject, expected
):
    folder, (repo, _) = tmp_path / "patches", work
    export(work, folder, [])
    two = git(repo, "rev-parse", "HEAD")
    git(repo, "reset", "--quiet", "--hard", "HEAD~1")
    change(repo, "a.txt", "line 20", "BETWEEN", subject)
    git(repo, "cherry-pick", two)
    export(work, folder, files(folder))
    assert names(folder) == [f"{name}.patch" for name in expected]


def test_removing_a_patch_leaves_the_names_of_the_others(work, tmp_path):
    folder, (repo, base) = tmp_path / "patches", work
    export(work, folder, [])
    git(repo, "rebase", "--quiet", "--onto", base, "HEAD~1")
    assert export(work, folder, files(folder)) == ["removed 0001-Say-one.patch"]
    assert names(folder) == ["0002-Say-two.patch"]


def test_a_reworded_commit_goes_back_to_the_folder_that_it_came_from(work, tmp_path):
    folder, (repo, _) = tmp_path / "patches", work
    export(work, folder, [])
    (folder / "git").mkdir()
    (folder / "0002-Say-two.patch").rename(folder / "git/0002-Say-two.patch")
    git(repo, "commit", "--quiet", "--amend", "-m", "Say it otherwise")
    export(work, folder, files(folder))
    assert names(folder) == ["0001-Say-one.patch", "git/0002-Say-it-otherwise.patch"]
    assert not (folder / "git/0002-Say-two.patch").exists()


def test_commits_of_one_author_and_moment_are_told_apart_by_their_subjects(work, tmp_path):
    folder, (repo, base) = tmp_path / "patches", work
    git(repo, "reset", "--quiet", "--hard", base)
    moment = "2026-01-01T00:00:00Z"
    change(repo, "a.txt", "line 3", "ONE", "Say one", moment)
    change(repo, "b.txt", "line 3", "TWO", "Say two", moment)
    export(work, folder, [])
    (folder / "release").mkdir()
    (folder / "0001-Say-one.patch").rename(folder / "release/0001-Say-one.patch")
    one, two = git(repo, "rev-parse", "HEAD~1"), git(repo, "rev-parse", "HEAD")
    git(repo, "reset", "--quiet", "--hard", base)
    git(repo, "cherry-pick", two, one)
    export(work, folder, files(folder))
    # the first keeps its name; the other comes after it
    assert sorted(names(folder)) == ["0001-Say-two.patch", "release/0002-Say-one.patch"]


def test_modes_binary_files_names_and_line_ends_come_back(work, tmp_path, running):
    repo, base = work
    (repo / "run.sh").write_bytes(b"#!/bin/sh\r\necho\r\n")
    (repo / "run.sh").chmod(0o755)
    (repo / "data.bin").write_bytes(bytes(range(256)))
    (repo / "Grüße 1.txt").write_text("ä\n")
    (repo / "b.txt").rename(repo / "c.txt")
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "-m", "[Core] Größeres\n\nA body.\n\n  indented")
    folder = tmp_path / "patches"
    export(work, folder, [])
    series.verify(repo, base, "HEAD", files(folder), running)


def test_a_message_that_a_mail_cannot_carry_is_refused(work, tmp_path, running):
    repo, base = work
    change(repo, "a.txt", "line 9", "NINE", "Say nine\n\nFirst.\n---\nSecond.")
    folder = tmp_path / "patches"
    export(work, folder, [])
    with pytest.raises(UserError, match=r"Say nine.*its message or author does not come back"):
        series.verify(repo, base, "HEAD", files(folder), running)


@pytest.mark.parametrize(
    ("subject", "made"),
    [
        ("[PATCH] Say nine", "Say nine"),
        ("[RFC PATCH v2 1/3] Say nine", "Say nine"),
        ("Re: Say nine", "Say nine"),
    ],
)
def test_a_subject_that_git_would_change_is_refused(work, tmp_path, running, subject, made):
    repo, base = work
    change(repo, "a.txt", "line 9", "NINE", subject)
    folder = tmp_path / "patches"
    export(work, folder, [])
    with pytest.raises(UserError) as raised:
        series.verify(repo, base, "HEAD", files(folder), running)
    said = str(raised.value)
    assert f"({subject}): git am would make its subject '{made}': in a mail, a subject" in said
    assert "git commit --amend" in said and "\n" not in said


@pytest.mark.parametrize("subject", ["[Core][Bugfix] Say nine", "(PATCH) Say nine", "Reply: nine"])
def test_a_subject_with_words_in_brackets_comes_back(work, tmp_path, running, subject):
    repo, base = work
    change(repo, "a.txt", "line 9", "NINE", subject)
    export(work, tmp_path / "patches", [])
    series.verify(repo, base, "HEAD", files(tmp_path / "patches"), running)


def test_what_a_patch_cannot_carry_is_refused(work, tmp_path, running):
    repo, base = work
    commit(repo, submodules={"sub": ("https://example.org/sub.git", base)})
    change(repo, "a.txt", "line 9", "NINE", "Say nine")
    folder = tmp_path / "patches"
    export(work, folder, [])
    path = files(folder)[-1]
    path.write_bytes(path.read_bytes().replace(b"+NINE", b"+TEN!"))
    with pytest.raises(UserError, match=r"Say nine\) does not come back from its patch.*a\.txt"):
        series.verify(repo, base, "HEAD", files(folder), running)


def test_a_merge_is_refused_and_an_empty_commit_left_out(work):
    repo, base = work
    git(repo, "commit", "--quiet", "--allow-empty", "-m", "Say nothing")
    assert [c.subject for c in series.empty_commits(repo, base, "HEAD")] == ["Say nothing"]
    assert len(series.formatted(repo, base, "HEAD")) == 2
    git(repo, "checkout", "--quiet", "-b", "side", base)
    change(repo, "a.txt", "line 20", "SIDE", "Step aside")
    git(repo, "merge", "--quiet", "-m", "Join", "main")
    with pytest.raises(UserError, match=r"\(Join\) is a merge, which no patch can carry"):
        series.formatted(repo, base, "HEAD")


def test_a_series_is_the_same_tree_when_it_is_applied(work, tmp_path, running):
    repo, base = work
    folder = tmp_path / "patches"
    export(work, folder, [])
    series.verify(repo, base, "HEAD", files(folder), running)
    assert run_git(["status", "--porcelain"], repo) == ""
