"""What a series names that its source has no more after a merge."""

import shutil

import pytest

from tests.unit.repositories import git

HEADER = "csrc/stable/ops.h"


@pytest.fixture
def moving(bench):
    """A bench whose upstream has files that move, with a patch that names one of them."""
    for name in (HEADER, "csrc/stable/x.cu", "tiny/old/names.py"):
        (bench.upstream / name).parent.mkdir(parents=True, exist_ok=True)
        (bench.upstream / name).write_text(name)
    git(bench.upstream, "add", "--all")
    git(bench.upstream, "commit", "--quiet", "-m", "More files")
    bench.pin = git(bench.upstream, "rev-parse", "HEAD")
    bench.edit()
    return bench


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (f"set(SOURCES ${{DIR}}/{HEADER})", f"{HEADER} in b.txt, which the source does not have"),
        ('#include "../stable/ops.h"', "stable/ops.h in b.txt, which"),
        ("# see csrc/stable/.", "csrc/stable in b.txt, which"),
        ("file(GLOB x csrc/stable/*.cu)", "csrc/stable in b.txt, which"),
        ("csrc/stable/ours.cu", "csrc/stable in b.txt, which"),
        ("from tiny.old.names import NAME", "tiny.old.names in b.txt, which"),
        ("import tiny.old.names.more", "tiny.old.names.more in b.txt, which"),
        (
            "csrc/stable/x.cu",
            "csrc/stable/x.cu in b.txt, which the source does not have any more: ",
        ),
        # what was never there, and what is there
        ("build/generated/x.cu and some/where", None),
        ("csrc/kept.h", None),
        ("std.string.view", None),
    ],
)
def test_paths_in_new_lines_that_are_gone_are_named(moving, line, named):
    moving.say("b.txt", "line 30", line, "Say where", moving.folder)
    moving.export()
    shutil.rmtree(moving.folder)
    git(moving.upstream, "mv", "csrc/stable/ops.h", "csrc/ops.h")
    git(moving.upstream, "rm", "--quiet", "csrc/stable/x.cu", "tiny/old/names.py")
    git(moving.upstream, "commit", "--quiet", "-m", "Move")
    moving.pin = git(moving.upstream, "rev-parse", "HEAD")
    told = [one for one in moving.edit().splitlines() if "any more" in one]
    if named is None:
        assert told == []
        return
    (one,) = told
    assert f"0004-Say-where.patch names {named}" in one
    if "ops.h" in line:
        assert one.endswith("any more: it has csrc/ops.h")
    # said until it is exported
    assert one in moving.edit()
    moving.export()
    before = moving.said().count(one)
    moving.edit()
    assert moving.said().count(one) == before
