"""The store: whole or not at all."""

import os
import socket

import pytest

from scripts.errors import UserError
from scripts.records import Record
from scripts.store import published


class Note(Record):
    text: str


def test_a_folder_appears_whole(tmp_path):
    final = tmp_path / "kind" / "key"
    with published(final) as scratch:
        (scratch / "file").write_text("x")
        assert not final.exists()
    assert (final / "file").read_text() == "x"
    assert [path.name for path in final.parent.iterdir()] == ["key"]


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), published(tmp_path / "key") as scratch:
        (scratch / "file").write_text("x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_the_first_of_two_stays(tmp_path):
    final = tmp_path / "key"
    with published(final) as late:
        (late / "file").write_text("late")
        with published(final) as early:
            (early / "file").write_text("early")
    assert (final / "file").read_text() == "early"


def test_what_a_killed_job_left_is_swept(tmp_path):
    dead = tmp_path / f".scratch-{socket.gethostname()}-999999999-x"
    alive = tmp_path / f".scratch-{socket.gethostname()}-{os.getpid()}-y"
    foreign = tmp_path / ".scratch-elsewhere-999999999-z"
    for folder in (dead, alive, foreign):
        folder.mkdir()
    with published(tmp_path / "key"):
        pass
    assert not dead.exists()
    assert alive.exists()
    assert foreign.exists()


def test_a_record_of_another_kind_is_named(tmp_path):
    path = tmp_path / "note.json"
    path.write_text('{"txt": "x"}')
    with pytest.raises(UserError, match=r"note.json: not a Note: text"):
        Note.read(path)
    with pytest.raises(UserError, match="no such record"):
        Note.read(tmp_path / "none.json")
    Note(text="x").write(path)
    assert Note.read(path) == Note(text="x")
