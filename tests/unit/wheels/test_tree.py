"""A build tree is the source, byte for byte, and what the release has beside what git tracks."""

from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.git import run_git
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.sources import untracked
from snakedev.wheels.tree import move, place
from tests.unit.repositories import commit, git, repository


def source(folder: Path, files: dict[str, str | bytes], kept: dict[str, bytes | None]) -> Path:
    """A source's checkout that keeps files, and folders (None), that git does not track."""
    repository(folder, files)
    for name, content in kept.items():
        place = folder / ".git/untracked" / name
        (place if content is None else place.parent).mkdir(parents=True, exist_ok=True)
        if content is not None:
            place.write_bytes(content)
    return folder


def test_attributes_of_the_source_change_no_byte(tmp_path: Path, running: Job) -> None:
    files = {
        ".gitattributes": "*.bat text eol=crlf ident\n*.txt working-tree-encoding=UTF-16\n",
        "a.bat": "rem $Id$\n",
        "a.txt": "plain\n",
        "b.bat": b"rem\r\n",
    }
    repository(tmp_path / "source", {name: files[name] for name in ("a.bat", "a.txt", "b.bat")})
    commit(tmp_path / "source", {".gitattributes": files[".gitattributes"]})
    tree = move(tmp_path / "tree", tmp_path / "source", ".", running)
    found = {name: (tree / name).read_bytes() for name in files}
    assert found == {n: c if isinstance(c, bytes) else c.encode() for n, c in files.items()}


def test_what_git_does_not_track_comes_and_goes_with_its_source(
    tmp_path: Path, running: Job
) -> None:
    kept = {"logs/empty": None, "vendored/.git": b"gitdir: x\n", "other/.git/HEAD": b"x\n"}
    files = {"a.c": "x\n", "vendored/v.c": "x\n", "other/o.c": "x\n"}
    first = source(tmp_path / "first", files, kept)
    tree = move(tmp_path / "tree", first, ".", running)
    assert (tree / "logs/empty").is_dir()
    assert (tree / "vendored/.git").read_bytes() == b"gitdir: x\n"
    assert (tree / "other/.git/HEAD").is_file()
    second = source(tmp_path / "second", files, {"spool": None})
    move(tree, second, ".", running)
    assert (tree / "spool").is_dir() and (tree / "vendored/v.c").is_file()
    gone = ("logs", "vendored/.git", "other/.git")
    assert not any((tree / name).exists() for name in gone)
    assert git(tree, "status", "--porcelain", "--ignored") == ""
    move(tree, first, ".", running)
    assert (tree / "vendored/.git").is_file() and untracked.left_out(tree) is None


def test_compiled_objects_stay_and_nothing_else(tmp_path: Path, running: Job) -> None:
    origin = source(tmp_path / "source", {"a.c": "x\n", "sub/a.c": "x\n"}, {})
    tree = move(tmp_path / "tree", origin, ".", running)
    for name in (
        "build/temp.linux/a.o",
        "build/temp.linux/CMakeCache.txt",
        "build/lib.linux/a.so",
        "left/over",
    ):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("x")
    move(tree, origin, ".", running)
    assert (tree / "build/temp.linux/a.o").is_file()
    assert not (tree / "build/temp.linux/CMakeCache.txt").exists()
    assert not (tree / "build/lib.linux").exists() and not (tree / "left").exists()


@pytest.mark.parametrize("left", [(), ("HEAD.lock", "config.lock", "shallow.lock")])
def test_a_tree_whose_making_was_killed_is_made_in_its_place(
    tmp_path: Path, running: Job, left: tuple[str, ...]
) -> None:
    # results/ lies in a clone of this project
    clone = tmp_path / "clone"
    repository(clone, {"mine.txt": "not committed yet\n"})
    (clone / "mine.txt").write_text("hours of work\n")
    (clone / "notes.txt").write_text("untracked\n")
    origin = source(tmp_path / "source", {"a.c": "x\n"}, {})
    tree = clone / "results/build/tree"
    (tree / ".git").mkdir(parents=True)
    for name in left:
        (tree / ".git" / name).touch()
    move(tree, origin, ".", running)
    assert (tree / "a.c").read_text() == "x\n"
    assert (clone / "mine.txt").read_text() == "hours of work\n"
    assert (clone / "notes.txt").is_file() and not (clone / "a.c").exists()
    with pytest.raises(CommandError):
        run_git(["rev-parse", "HEAD"], clone / "results")


def test_build_folders_lie_on_a_disk_of_each_machine_s_own(tmp_path, monkeypatch):
    shared = tmp_path / "results/build/cpu/vllm/0123"
    assert place(None, shared) == shared
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    first = place("$SCRATCH/trees", shared)
    assert first.is_relative_to(tmp_path / "scratch/trees")
    assert first.parts[-3:] == ("cpu", "vllm", "0123")
    # not beside those of another clone
    other = place("$SCRATCH/trees", tmp_path / "other/results/build/cpu/vllm/0123")
    assert other != first
    monkeypatch.delenv("SCRATCH")
    with pytest.raises(UserError, match=r"^build\.trees: \$SCRATCH/trees is \$SCRATCH/trees on "):
        place("$SCRATCH/trees", shared)
