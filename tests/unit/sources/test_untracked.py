"""What a release has and git tracks nowhere reaches the source, and nothing runs of it."""

import io
import shutil
import tarfile
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.config.repos import ReleasePin
from snakedev.sources.source import SourceRecord, make_source
from snakedev.store.layout import Layout
from snakedev.store.source_specs import SourceSpec
from tests.unit.repositories import git, repository

PIN = ReleasePin(name="tiny", version="1.0", sha256="0" * 64)
SPEC = SourceSpec(repo="tiny", origin="release", pin=PIN, pin_identity={}, version="1.0")


def packed(tmp_path: Path, **entries: bytes | Path | None) -> Path:
    """The archive of these files, of folders (None), and of what lies at a path."""
    path = tmp_path / "tiny-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in {"plain.c": b"x\n", **entries}.items():
            info = tarfile.TarInfo(f"tiny-1.0/{name}")
            if isinstance(content, Path):
                tar.add(content, info.name)
            elif content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def made(tmp_path: Path, running: Job, **entries: bytes | Path | None) -> tuple[SourceRecord, Path]:
    """The source of a release with these entries: its record and its checkout."""
    layout = Layout(tmp_path / "results")
    record = make_source(SPEC, layout, packed(tmp_path, **entries), running)
    return record, layout.source("tiny", record.key) / "tree"


def test_files_beside_a_git_folder_are_tracked_and_the_folder_is_there(
    tmp_path: Path, running: Job
) -> None:
    repository(tmp_path / "inner", {"inner.c": "int inner;\n"})
    _, tree = made(tmp_path, running, **{"vendored": tmp_path / "inner"})
    assert git(tree, "ls-tree", "-r", "--name-only", "HEAD").split() == [
        "plain.c",
        "vendored/inner.c",
    ]
    assert (tree / "vendored/inner.c").read_text() == "int inner;\n"
    assert (tree / "vendored/.git/HEAD").is_file()


@pytest.mark.parametrize("name", [".git", ".GIT"])
def test_a_git_file_that_leads_nowhere_is_there(tmp_path: Path, running: Job, name: str) -> None:
    link = b"gitdir: ../../.git/modules/vendored\n"
    entries = {f"vendored/{name}": link, "vendored/inner.c": b"x\n"}
    _, tree = made(tmp_path, running, **entries)
    assert (tree / f"vendored/{name}").read_bytes() == link
    assert "vendored/inner.c" in git(tree, "ls-tree", "-r", "--name-only", "HEAD").split()


def test_folders_without_files_are_there(tmp_path: Path, running: Job) -> None:
    _, tree = made(tmp_path, running, **{"logs": None, "a/b/c": None, "full/x": b"x\n"})
    assert (tree / "logs").is_dir() and (tree / "a/b/c").is_dir()
    assert git(tree, "status", "--porcelain", "--ignored") == ""


def test_the_tree_is_that_of_the_files_alone(tmp_path: Path, running: Job) -> None:
    plain, _ = made(tmp_path, running)
    shutil.rmtree(tmp_path / "results")
    more, _ = made(tmp_path, running, **{"logs": None, ".git/HEAD": b"ref: refs/heads/main\n"})
    assert more.tree == plain.tree


def test_a_release_with_its_own_repository_is_not_run_as_one(
    tmp_path: Path, running: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own"
    repository(own, {"other.c": "x\n"})
    told = tmp_path / "told"
    git(own, "config", "core.fsmonitor", f"touch {told}; false")
    (own / ".git/hooks").mkdir(exist_ok=True)
    _, tree = made(tmp_path, running, **{".git": own / ".git", ".gitattributes": b"* filter=x\n"})
    assert not told.exists()
    assert git(tree, "log", "--format=%s") == "tiny 1.0 (release)"
    assert git(tree, "ls-files").split() == [".gitattributes", "plain.c"]
    line = "left out: the release's own .git, since a source is a git checkout of its own"
    assert line in capsys.readouterr().err


@pytest.mark.parametrize("name", ["git~1", ".git ", ".gitmodules", "sub/.gitignore", "back\\slash"])
def test_names_that_mean_something_to_git_are_files(
    tmp_path: Path, running: Job, name: str
) -> None:
    _, tree = made(tmp_path, running, **{name: b"[core]\n"})
    assert (tree / name).read_bytes() == b"[core]\n"
    assert name in git(tree, "ls-tree", "-r", "-z", "--name-only", "HEAD").split("\0")


def test_what_git_cannot_hold_is_named(tmp_path: Path, running: Job) -> None:
    link = tmp_path / "link"
    link.symlink_to("plain.c")
    with pytest.raises(UserError, match=r"tiny: git cannot hold its release: .*'\.gitmodules'"):
        made(tmp_path, running, **{".gitmodules": link})


def test_pointers_to_lfs_are_said(
    tmp_path: Path, running: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    first = b"version https://git-lfs.github.com/spec/v1\n"
    pointer = first + b"oid sha256:" + b"0" * 64 + b"\nsize 9\n"
    entries = {"data/a b.bin": pointer, "weights.bin": pointer, "notes.md": b"As in:\n" + first}
    made(tmp_path, running, **entries)
    line = "2 files are pointers to Git LFS, whose contents are not fetched: "
    assert f"{line}data/a b.bin, weights.bin\n" in capsys.readouterr().err
