"""What a work folder tells of its files, and what of a release is in it beside those."""

import tarfile
from pathlib import Path

from snakedev.workbench.edit import edit
from snakedev.workbench.folder import WorkFolder
from snakedev.workbench.snapshot import make_work_source, snapshot
from tests.unit.workbench.bench import Bench


def test_uncommitted_files_are_named_as_they_are(bench: Bench) -> None:
    bench.edit()
    assert WorkFolder(bench.folder, "tiny").uncommitted() == []
    for name in ("a.txt", "csrc/grüße.cu", "csrc/a b.cu", 'csrc/q"uote', " lead"):
        (bench.folder / name).parent.mkdir(exist_ok=True)
        (bench.folder / name).write_text("x\n")
    bench.git("add", "csrc/a b.cu")
    found = WorkFolder(bench.folder, "tiny").uncommitted()
    assert sorted(found) == [" lead", "a.txt", "csrc/a b.cu", "csrc/grüße.cu", 'csrc/q"uote']


def with_more(bench: Bench) -> Path:
    """The release with a folder without files, and a repository's own file."""
    path = bench.tmp / "more.tar.gz"
    archive = bench.archive
    assert archive is not None
    with tarfile.open(archive) as old, tarfile.open(path, "w:gz") as new:
        for member in old.getmembers():
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
        for name, kind in (("logs", tarfile.DIRTYPE), ("sub/.git", tarfile.REGTYPE)):
            info = tarfile.TarInfo(f"tiny/{name}")
            info.type, info.mode = kind, 0o755
            new.addfile(info)
    return path


def test_what_git_does_not_track_is_in_a_source_of_the_folder(bench: Bench) -> None:
    edit(bench.spec, bench.layout, with_more(bench), bench.folder, bench.running)
    assert (bench.folder / "logs").is_dir() and not (bench.folder / "sub/.git").exists()
    work = WorkFolder(bench.folder, "tiny")
    assert work.uncommitted() == []
    seen = snapshot(work, bench.layout)
    outside = {"work": seen.compiled, "work_tree": seen.tree, "patches": (), "patch_bodies": ()}
    spec = bench.spec.model_copy(update=outside)
    record = make_work_source(spec, bench.layout, bench.folder, bench.running)
    tree = bench.layout.source("tiny", record.key) / "tree"
    assert (tree / "logs").is_dir() and (tree / "sub/.git").is_file()


def test_a_folder_that_moves_takes_it_along(bench: Bench) -> None:
    bench.edit()
    bench.files[-1].unlink()
    edit(bench.spec, bench.layout, with_more(bench), bench.folder, bench.running)
    assert "made again from the patches" in bench.said()
    assert (bench.folder / "logs").is_dir()
