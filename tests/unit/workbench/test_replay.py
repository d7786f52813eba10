"""Replays: what happens to patches that do not fit the pin."""

import re
import shutil

import pytest

from snakedev.base.errors import UserError


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
    for act in (either.edit, either.export):
        with pytest.raises(UserError, match="a git am is in progress: mend the files"):
            act()

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
