"""Exports: the commits of a work folder as patch files, and when nothing is written."""

import re
import shutil

import pytest

from snakedev.base.errors import UserError
from snakedev.sources.patch_file import details, ignored
from snakedev.sources.series_pin import read_pins
from tests.unit.workbench.bench import Bench


def test_edit_and_export_without_a_change_change_nothing(either):
    either.edit()
    either.export()
    before, key, head = either.snapshot(), either.spec.key, either.git("rev-parse", "HEAD")
    either.edit()
    either.export()
    assert either.snapshot() == before
    assert (either.spec.key, either.git("rev-parse", "HEAD")) == (key, head)
    shutil.rmtree(either.folder)
    either.edit()
    either.export()
    assert either.snapshot() == before


def test_a_commit_becomes_a_patch_and_the_source_is_what_the_folder_is(bench):
    bench.edit()
    bench.export()
    before = bench.snapshot()
    bench.say("b.txt", "line 30", "FOUR", "Say four", bench.folder)
    assert "does not hold them" in bench.edit()
    bench.export()
    after = bench.snapshot()
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"0004-Say-four.patch"}
    assert bench.source().tree == bench.git("rev-parse", "HEAD^{tree}")
    assert "4 commits: edit and commit there" in bench.edit()


@pytest.mark.parametrize(
    "names",
    [
        ("first", "second", "third"),
        ("1-first", "2-second", "10-third"),
        ("0001-first", "0002-second", "fix-third"),
        ("01-first", "02-second", "03-third"),
        ("100-first", "101-second", "102-third"),
        ("9997-first", "9998-second", "9999-third"),
    ],
)
def test_commits_behind_files_of_other_names_stay_behind_them(bench, names):
    for file, name in zip(bench.files, names, strict=True):
        file.rename(file.with_name(f"{name}.patch"))
    read = [details(file).subject for file in bench.files]
    bench.edit()
    bench.say("b.txt", "line 30", "FOUR", "Say four", bench.folder)
    bench.say("b.txt", "FOUR", "FIVE", "Say five", bench.folder)
    bench.export()
    subjects = [details(file).subject for file in bench.files]
    assert subjects == [*read, "Say four", "Say five"] == bench.subjects()
    assert bench.source().tree == bench.git("rev-parse", "HEAD^{tree}")


@pytest.mark.parametrize("names", [("first", "second", "third"), ("01-a", "02-b", "03-c")])
def test_names_stay_where_nothing_is_added(bench, names):
    for file, name in zip(bench.files, names, strict=True):
        file.rename(file.with_name(f"{name}.patch"))
    bench.edit()
    bench.git("commit", "--quiet", "--amend", "-m", "Say three", "-m", "For a reason.")
    bench.export()
    assert [file.stem for file in bench.files] == [*names]


def test_a_file_of_several_commits_becomes_a_file_for_each(bench):
    first, second, third = bench.files
    first.write_bytes(first.read_bytes() + second.read_bytes())
    second.unlink()
    bench.edit()
    assert bench.subjects() == ["Say one", "[Core] Say two", "Say three"]
    bench.export()
    assert [details(file).subject for file in bench.files] == bench.subjects()
    assert first in bench.files and third in bench.files


def test_patches_of_one_origin_go_back_there_and_those_of_the_other_stay(either):
    other = "release" if either.origin == "git" else "git"
    (either.patches / either.origin).mkdir(parents=True)
    (either.patches / other).mkdir()
    files = sorted(either.patches.glob("*.patch"))
    files[0].rename(either.patches / either.origin / files[0].name)
    (either.patches / other / "0009-other.patch").write_bytes(b"of no use here\n")
    either.edit()
    either.git("rebase", "--quiet", "--exec", "git commit --quiet --amend -m Reworded", "HEAD~1")
    either.export()
    assert sorted(either.snapshot()) == [
        "0002-Core-Say-two.patch",
        "0003-Reworded.patch",
        f"{either.origin}/0001-Say-one.patch",
    ]
    assert (either.patches / other / "0009-other.patch").read_bytes() == b"of no use here\n"


def test_patches_that_changed_elsewhere_are_taken_up_and_never_undone(bench):
    bench.edit()
    bench.export()
    last = bench.files[-1]
    last.write_bytes(last.read_bytes().replace(b"+THREE", b"+DREI!"))
    with pytest.raises(UserError, match=r"has changed since work/tiny was made from it"):
        bench.export()
    assert "made again from the patches as they are now" in bench.edit()
    assert "DREI!" in (bench.folder / "b.txt").read_text()
    assert bench.git("branch", "--list", "earlier/*") != ""

    # with commits of the user's own, which of the two counts is not for us to say
    bench.say("b.txt", "line 30", "FOUR", "Say four", bench.folder)
    last.write_bytes(last.read_bytes().replace(b"+DREI!", b"+TROIS"))
    with pytest.raises(UserError, match=r"no longer what work/tiny was made from.*Say four"):
        bench.edit()


def test_a_missing_folder_is_one_line(bench):
    with pytest.raises(
        UserError, match=r"^work/tiny is not there: run `snakemake edit_tiny` first$"
    ):
        bench.export()


def undated(snapshot):
    """Patches without the moment at which the test made their commits."""
    return {n: re.sub(rb"^Date: .*$", b"", d, flags=re.MULTILINE) for n, d in snapshot.items()}


def test_a_user_who_signs_and_converts_line_ends_gets_the_same(git_bench, monkeypatch):
    """The user's settings apply to what the user does, and to nothing that is done here."""
    home = git_bench.tmp / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[user]\nname = Somebody\nemail = somebody@example.org\n"
        "[core]\nautocrlf = true\nexcludesFile = ~/ignored\n[commit]\ngpgSign = true\n"
        "[gpg]\nprogram = false\n[diff]\nnoprefix = true\n[format]\nsignOff = true\n"
    )
    (home / "ignored").write_text("*.swp\n")
    (git_bench.tmp / "plain").mkdir()
    plain = Bench(git_bench.tmp / "plain", git_bench.running, "git")
    plain.edit()
    plain.export()
    monkeypatch.setenv("HOME", str(home))
    git_bench.edit()
    (git_bench.folder / "a.swp").write_text("an editor's")
    git_bench.export()
    assert undated(git_bench.snapshot()) == undated(plain.snapshot())
    assert "not committed" not in git_bench.edit()


def test_patches_that_only_moved_are_not_called_changed(bench):
    bench.edit()
    bench.export()
    (bench.upstream / "a.txt").write_text("in front\n" * 5 + (bench.upstream / "a.txt").read_text())
    bench.pin = bench.say("b.txt", "line 5", "UPSTREAM", "Go on")
    bench.edit()
    bench.git("commit", "--quiet", "--amend", "-m", "Say three", "-m", "For a reason.")
    said = bench.export()
    assert (
        "2 patches say the same of other lines (positions, context, ids of files): 0001-S" in said
    )
    assert "changed 0003-Say-three.patch" in said
    assert "changed 0001-Say-one.patch" not in said


def test_the_pin_that_a_series_is_on_lies_beside_it(either):
    either.edit()
    either.export()
    record = either.patches / "series.json"
    assert read_pins(either.patches)[either.origin].pin == either.spec.pin
    assert not list(ignored(either.patches.parent, ["tiny"]))
    before = record.read_bytes()
    either.export()
    assert record.read_bytes() == before
    for file in either.files:
        file.unlink()
    shutil.rmtree(either.folder)
    either.edit()
    either.export()
    assert not record.exists()


def test_the_pin_of_patches_for_another_origin_is_kept(bench):
    bench.edit()
    bench.export()
    bench.origin = "git"
    bench.edit()
    bench.export()
    assert [*read_pins(bench.patches)] == ["git"]  # where all of them are now
    (bench.patches / "git").mkdir()
    bench.files[2].rename(bench.patches / "git" / bench.files[2].name)
    bench.origin = "release"
    bench.edit()
    bench.export()
    assert [*read_pins(bench.patches)] == ["release", "git"]


def test_a_record_of_pins_that_is_none_is_one_line(bench):
    bench.edit()
    (bench.patches / "series.json").write_text('{"release": {"version": "1.0"}}')
    with pytest.raises(UserError, match=r"series\.json: not a SeriesRecord: .*: an export writes"):
        bench.export()
