"""Work folders made, moved and left: nothing of the user's is lost, nothing is guessed."""

import re
import shutil
import subprocess

import pytest

from snakedev.base.errors import UserError
from snakedev.workbench import edit as workbench
from snakedev.workbench.folder import WorkFolder
from tests.unit.repositories import git


def test_the_work_folder_is_the_source_with_the_series_as_commits(either):
    said = either.edit()
    assert re.search(r"work/tiny is ready, on \w+ \w+ with 3 commits", said)
    source = either.source()
    assert either.git("rev-parse", "HEAD^{tree}") == source.tree
    assert either.git("rev-parse", "pin^{tree}") == source.base_tree
    assert either.git("branch", "--show-current") == "series"
    assert either.git("status", "--porcelain") == ""
    assert either.subjects() == ["Say one", "[Core] Say two", "Say three"]
    upstream = git(either.upstream, "log", "-3", "--reverse", "--format=%an %ae %ad", "HEAD@{1}")
    assert either.git("log", "--reverse", "--format=%an %ae %ad", "pin..HEAD") == upstream
    # whose name stands on the user's commits is for the user's own settings to say
    assert "user." not in either.git("config", "--local", "--list")
    # nothing elsewhere is needed for it
    assert not (either.folder / ".git/objects/info/alternates").exists()
    shutil.rmtree(either.layout.root)
    either.git("fsck", "--strict")


def test_a_version_that_upstream_leaves_out_is_below_the_series(git_bench):
    git_bench.version_files = {"b.txt": r"^(line 39)$"}
    git_bench.edit()
    assert len(git_bench.subjects()) == 3
    assert (git_bench.folder / "b.txt").read_text().endswith(f"{git_bench.pin[:8]}\n")
    git_bench.export()
    assert git_bench.source().tree == git_bench.git("rev-parse", "HEAD^{tree}")


def test_only_the_packed_part_of_an_upstream_is_copied(git_bench):
    """A work folder holds the pin once, not the history of whatever lent files to it."""
    git_bench.edit()
    commits = git_bench.git("rev-list", "--all", "--count")
    assert commits == "4"


def test_uncommitted_edits_are_neither_exported_nor_overwritten(bench):
    bench.edit()
    bench.export()
    (bench.folder / "a.txt").write_text("mine\n")
    (bench.folder / "new.txt").write_text("mine too\n")
    (bench.folder / "ignored.log").write_text("of no matter\n")
    with pytest.raises(UserError, match=r"work/tiny: a\.txt, new\.txt are not committed: commit"):
        bench.export()
    assert "not committed: a.txt, new.txt" in bench.edit()
    bench.pin = bench.say("b.txt", "line 30", "MOVED", "Go on")
    with pytest.raises(UserError, match=r"edits that are not committed \(a\.txt, new\.txt\)"):
        bench.edit()
    assert (bench.folder / "a.txt").read_text() == "mine\n"


def test_unexported_commits_hold_the_folder_where_it_is(bench):
    bench.edit()
    bench.say("b.txt", "line 30", "FOUR", "Say four", bench.folder)
    head = bench.git("rev-parse", "HEAD")
    bench.pin = bench.say("b.txt", "line 35", "MOVED", "Go on")
    with pytest.raises(UserError, match=r"another pin of tiny.*not exported \(Say four") as caught:
        bench.edit()
    with pytest.raises(UserError, match=r"config\.yaml names another pin of tiny: run `snakemake"):
        bench.export()
    assert bench.git("rev-parse", "HEAD") == head
    # the way out that the message names
    way = re.search(r"set them aside: `(.+?)`", str(caught.value))[1]
    subprocess.run(["bash", "-c", way], cwd=bench.tmp, check=True)
    bench.edit()
    bench.git("cherry-pick", "mine")
    bench.export()
    assert (bench.patches / "0004-Say-four.patch").exists()


def test_a_renamed_patch_file_is_the_same_series(bench):
    bench.edit()
    bench.export()
    head = bench.git("rev-parse", "HEAD")
    bench.files[0].rename(bench.patches / "0001-otherwise.patch")
    bench.edit()
    bench.export()
    assert bench.git("rev-parse", "HEAD") == head
    assert "0001-otherwise.patch" in bench.snapshot()


def test_an_exported_folder_moves_to_another_pin_by_itself(either):
    either.edit()
    either.export()
    tip = either.git("rev-parse", "HEAD")
    # beside the hunks, so that only a three-way merge can place them
    either.pin = either.say("a.txt", "line 5", "UPSTREAM", "Go on")
    said = either.edit()
    assert "what it was is on the branch earlier/" in said
    branch = re.search(r"earlier/\S+", said)[0]
    assert either.git("rev-parse", branch) == tip
    assert either.subjects() == ["Say one", "[Core] Say two", "Say three"]
    text = (either.folder / "a.txt").read_text()
    assert "ONE\nline 4\nUPSTREAM\n" in text
    either.export()
    assert either.source().tree == either.git("rev-parse", "HEAD^{tree}")


def test_going_back_to_the_earlier_pin_finds_the_earlier_series(bench):
    bench.edit()
    bench.export()
    first, tree = bench.pin, bench.git("rev-parse", "HEAD^{tree}")
    bench.pin = bench.say("a.txt", "line 5", "UPSTREAM", "Go on")
    bench.edit()
    bench.pin = first
    bench.edit()
    assert bench.git("rev-parse", "HEAD^{tree}") == tree


def test_what_somebody_else_put_there_is_left_alone(bench):
    bench.folder.mkdir(parents=True)
    (bench.folder / "mine").write_text("mine")
    with pytest.raises(UserError, match=r"was not made by `snakemake edit_tiny`: move it"):
        bench.edit()
    assert (bench.folder / "mine").exists()


def test_an_edit_that_was_killed_between_two_steps_is_mended(git_bench, monkeypatch):
    git_bench.edit()
    git_bench.export()
    git_bench.pin = git_bench.say("a.txt", "line 5", "UPSTREAM", "Go on")
    real = workbench.run_git

    def killed(arguments, *more):
        if arguments[0] == "checkout" and "-B" in arguments:
            raise KeyboardInterrupt
        return real(arguments, *more)

    monkeypatch.setattr(workbench, "run_git", killed)
    with pytest.raises(KeyboardInterrupt):
        git_bench.edit()
    monkeypatch.setattr(workbench, "run_git", real)
    with pytest.raises(UserError, match="not all on its pin"):
        git_bench.export()
    git_bench.edit()
    assert "UPSTREAM" in (git_bench.folder / "a.txt").read_text()
    assert WorkFolder(git_bench.folder, "tiny").on_the_pin
