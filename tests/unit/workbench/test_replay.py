"""Replays: what happens to patches that do not fit the pin."""

import re
import shutil
import subprocess

import pytest

from snakedev.base.errors import UserError
from snakedev.workbench.session import Waiting
from tests.unit.repositories import git


def test_a_patch_that_upstream_has_taken_is_dropped_by_name(bench):
    bench.edit()
    bench.export()
    bench.say("a.txt", "line 20", "TWO", "Say two, differently worded")
    bench.pin = bench.say("b.txt", "line 30", "MORE", "Go on")
    said = bench.edit()
    assert re.search(r"dropped 0002-Core-Say-two.patch: \w+ \w+ has that change", said)
    assert bench.subjects() == ["Say one", "Say three"]
    assert "removed 0002-Core-Say-two.patch" in bench.export()
    assert sorted(bench.snapshot()) == ["0001-Say-one.patch", "0003-Say-three.patch"]


def conflict(bench):
    """Move the pin to where the second patch conflicts."""
    bench.pin = bench.say("a.txt", "line 20", "ZWEI", "Say it in German")
    with pytest.raises(UserError) as caught:
        bench.edit()
    return str(caught.value)


@pytest.mark.parametrize("fresh", [False, True])
def test_a_conflict_stops_as_git_does_and_goes_on_by_itself(either, fresh):
    either.edit()
    either.export()
    either.source()
    if fresh:
        shutil.rmtree(either.folder)
    said = conflict(either)
    assert "work/tiny: 0002-Core-Say-two.patch conflicts with the pin in a.txt" in said
    assert "1 of the patches are on it, 2 wait" in said
    assert "<<<<<<<" in (either.folder / "a.txt").read_text()
    with pytest.raises(UserError, match="a git am is in progress: mend the files"):
        either.export()
    with pytest.raises(Waiting) as again:
        either.edit()
    assert str(again.value) == said

    text = (either.folder / "a.txt").read_text()
    text = re.sub(r"<<<<<<<.*?>>>>>>>[^\n]*\n", "TWO\n", text, flags=re.DOTALL)
    (either.folder / "a.txt").write_text(text)
    either.git("add", "a.txt")
    either.git("am", "--continue")
    assert either.subjects() == ["Say one", "[Core] Say two", "Say three"]
    assert "does not hold them: `snakemake export_tiny`" in either.edit()
    either.export()
    assert either.source().tree == either.git("rev-parse", "HEAD^{tree}")
    assert "THREE" in (either.folder / "b.txt").read_text()


def test_a_conflict_without_the_files_to_merge_with_says_so(bench):
    assert "are not here to merge with" in conflict(bench)
    assert bench.subjects() == ["Say one"]
    bench.git("am", "--abort")
    with pytest.raises(UserError, match="not all on its pin: run `snakemake edit_tiny`"):
        bench.export()
    with pytest.raises(UserError, match="are not here to merge with"):
        bench.edit()


def test_a_skipped_patch_is_gone_and_an_aborted_replay_begins_again(bench):
    bench.edit()
    bench.export()
    conflict(bench)
    bench.git("am", "--abort")
    with pytest.raises(UserError, match="not all on its pin: run `snakemake edit_tiny`"):
        bench.export()
    with pytest.raises(UserError, match=r"conflicts with the pin in a\.txt"):
        bench.edit()
    bench.git("am", "--skip")
    bench.export()
    assert sorted(bench.snapshot()) == ["0001-Say-one.patch", "0003-Say-three.patch"]
    # the last one that waits may be the one to go
    bench.pin = bench.say("b.txt", "line 3", "DREI", "Go on in German")
    with pytest.raises(UserError, match=r"0003-Say-three\.patch conflicts"):
        bench.edit()
    bench.git("am", "--skip")
    assert "ready" in bench.edit()
    bench.export()
    assert sorted(bench.snapshot()) == ["0001-Say-one.patch"]


def as_cloned(bench):
    """Leave what a clone has: the patches, and what lies beside them."""
    bench.edit()
    bench.export()
    shutil.rmtree(bench.folder)
    shutil.rmtree(bench.layout.root, ignore_errors=True)


def test_a_clone_merges_with_the_pin_that_the_series_was_made_on(either):
    as_cloned(either)
    # beside the hunks, so that only a three-way merge can place them
    either.pin = either.say("a.txt", "line 5", "UPSTREAM", "Go on")
    said = either.edit()
    assert either.subjects() == ["Say one", "[Core] Say two", "Say three"]
    assert re.search(r"getting \w+ \w+, which the series was made on", said)
    # what it was is there to look at
    (branch,) = either.git("branch", "--list", "--format=%(refname:short)", "earlier/*").split()
    assert "UPSTREAM" not in either.git("show", f"{branch}:a.txt")
    assert "ONE" in either.git("show", f"{branch}:a.txt")


def test_a_clone_has_a_conflict_to_mend(either):
    as_cloned(either)
    said = conflict(either)
    assert "0002-Core-Say-two.patch conflicts with the pin in a.txt" in said
    assert "<<<<<<<" in (either.folder / "a.txt").read_text()


def test_an_earlier_pin_that_cannot_be_had_is_said_in_a_line(either):
    as_cloned(either)
    either.gone.add(either.pin)
    assert "the files that it was made from are not here to merge with" in conflict(either)
    assert re.search(
        r"which the series was made on, is not there to merge with: tiny: \w+ is not served$",
        either.said(),
        re.MULTILINE,
    )


def test_a_series_of_one_origin_merges_with_the_pin_of_the_other(bench):
    as_cloned(bench)
    bench.origin = "git"
    bench.pin = bench.say("a.txt", "line 5", "UPSTREAM", "Go on")
    bench.edit()
    assert bench.subjects() == ["Say one", "[Core] Say two", "Say three"]


def test_a_file_that_upstream_removed_is_to_be_removed(bench):
    as_cloned(bench)
    git(bench.upstream, "rm", "--quiet", "a.txt", "b.txt")
    git(bench.upstream, "commit", "--quiet", "-m", "Do without")
    bench.pin = git(bench.upstream, "rev-parse", "HEAD")
    with pytest.raises(Waiting) as caught:
        bench.edit()
    assert "0001-Say-one.patch conflicts with the pin in a.txt" in str(caught.value)
    assert "`git -C work/tiny rm a.txt`: it is not in the pin; make the" in str(caught.value)
    assert "mend" not in str(caught.value)


def test_a_file_that_a_patch_removes_and_upstream_changed_may_go_or_stay(bench):
    bench.edit()
    bench.git("rm", "--quiet", "b.txt")
    bench.git("commit", "--quiet", "--amend", "-m", "Do without")
    as_cloned(bench)
    bench.pin = bench.say("b.txt", "line 30", "MORE", "Go on")
    with pytest.raises(Waiting) as caught:
        bench.edit()
    way = "`git -C work/tiny rm b.txt`: the patch removes it, and the pin has changed it (`git -C "
    assert f"1. {way}work/tiny add` keeps it)" in str(caught.value)


def test_git_s_numbers_are_those_of_the_files(bench):
    """What git says of the next one that stops is about the file of that number."""
    as_cloned(bench)
    bench.say("a.txt", "line 20", "ZWEI", "Say two in German")
    bench.pin = bench.say("b.txt", "line 3", "DREI", "Say three in German")
    with pytest.raises(Waiting, match="0002-Core-Say-two"):
        bench.edit()
    went_on = subprocess.run(
        ["git", "am", "--skip"], cwd=bench.folder, capture_output=True, text=True
    )
    assert "Patch failed at 0003 Say three" in went_on.stdout + went_on.stderr
    with pytest.raises(Waiting) as caught:
        bench.edit()
    assert "0003-Say-three.patch conflicts with the pin in b.txt" in str(caught.value)
    assert "1 of the patches are on it, 1 wait" in str(caught.value)
    # in the log too, where each patch is tried by itself
    assert "Patch failed at" not in bench.said()


@pytest.mark.parametrize(
    "names", [("b", "c", "d"), ("10-b", "20-c", "21-d"), ("0-b", "1-c", "2-d")]
)
def test_numbers_that_git_cannot_have_leave_the_names_of_files(bench, names):
    for file, name in zip(bench.files, names, strict=True):
        file.rename(file.with_name(f"{name}.patch"))
    as_cloned(bench)
    bench.say("a.txt", "line 20", "ZWEI", "Say two in German")
    bench.pin = bench.say("b.txt", "line 3", "DREI", "Say three in German")
    with pytest.raises(Waiting, match=rf"work/tiny: {names[1]}\.patch conflicts"):
        bench.edit()
    subprocess.run(["git", "am", "--skip"], cwd=bench.folder, capture_output=True)
    with pytest.raises(Waiting, match=rf"work/tiny: {names[2]}\.patch conflicts"):
        bench.edit()
    bench.git("am", "--skip")
    assert "with 1 commit" in bench.edit()
