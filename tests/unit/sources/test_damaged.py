"""Sources, mirrors and downloads that a disk has damaged are found, said and made again."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.config.repos import GitPin
from snakedev.fetch.mirror import ensure_commit
from snakedev.sources.intact import require_objects, require_tree
from snakedev.sources.source import SourceRecord, make_source
from snakedev.store.layout import Layout
from snakedev.store.source_specs import SourceSpec
from tests.unit.repositories import repository

FILES = {"greet.c": "int main() { return 0; }\n", "words/greeting.txt": "hello\n"}


def flip(path: Path) -> None:
    """Change a byte in the middle of a file, and neither its size nor its times."""
    times, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.chmod(0o644)
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.fixture
def make(tmp_path: Path, running: Job) -> Callable[[str], tuple[Layout, SourceRecord]]:
    """Make a source from git in a results folder, which may have its mirror already."""
    commit = repository(tmp_path / "upstream", FILES)
    pin = GitPin(url=str(tmp_path / "upstream"), commit=commit)

    def once(place: str = "results") -> tuple[Layout, SourceRecord]:
        layout = Layout(tmp_path / place)
        spec = SourceSpec(repo="tiny", origin="git", pin=pin, pin_identity={}, version="1.0")
        ensure_commit(layout, "tiny", pin.url, commit, False, running)
        return layout, make_source(spec, layout, None, running)

    return once


def objects(repository: Path) -> list[Path]:
    found = [*repository.glob("objects/??/*"), *repository.glob("objects/pack/*.pack")]
    assert found
    return found


def test_a_file_of_a_source_that_differs_takes_it_out_of_the_store(make) -> None:
    layout, record = make()
    folder = layout.source("tiny", record.key)
    require_tree(folder, record.commit)
    flip(folder / "tree/words/greeting.txt")
    with pytest.raises(UserError, match=r"was damaged \(words/greeting\.txt\) and is removed: run"):
        require_tree(folder, record.commit)
    assert not list(folder.parent.iterdir())
    assert make()[1] == record


def test_objects_of_a_source_that_differ_take_it_out_of_the_store(make) -> None:
    layout, record = make()
    folder = layout.source("tiny", record.key)
    require_objects(folder)
    for path in objects(folder / "tree/.git"):
        flip(path)
    with pytest.raises(UserError, match=re.escape(f"{folder} was damaged (error: ")):
        require_objects(folder)
    assert not folder.exists()


def test_a_damaged_mirror_is_fetched_once_more(make, tmp_path: Path, running: Job) -> None:
    layout, record = make()
    for path in objects(layout.mirror("tiny")):
        flip(path)
    require_objects(layout.source("tiny", record.key))
    folder = layout.source("tiny", record.key)
    folder.rename(tmp_path / "aside")
    assert make()[1] == record
    assert f"{layout.mirror('tiny')} is damaged: removing it" in running.log_path.read_text()


def test_what_a_killed_fetch_has_left_in_a_mirror_goes(make) -> None:
    layout, _ = make()
    left = layout.mirror("tiny") / "objects/pack/tmp_pack_x1"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(bytes(100))
    make()
    assert not left.exists()
