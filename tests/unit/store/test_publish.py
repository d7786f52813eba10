"""The store: whole or not at all."""

import os
import shutil
import socket
import stat
import time
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.records import Record
from snakedev.store.publish import found, prepare, published, scratch_in


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


@pytest.mark.parametrize("left", ["", "{", '{"words": 1}'])
def test_an_artifact_whose_record_says_nothing_is_made_again(tmp_path, running, left):
    final = tmp_path / "key"
    with published(final) as scratch:
        Note(text="whole").write(scratch / "note.json")
    assert found(final / "note.json", Note, running) == Note(text="whole")
    (final / "note.json").write_text(left)
    assert found(final / "note.json", Note, running) is None
    assert list(tmp_path.iterdir()) == [running.log_path]
    assert f"damaged: {final}/note.json: not a Note" in running.log_path.read_text()


def test_what_a_killed_job_left_is_swept(tmp_path):
    with scratch_in(tmp_path) as own:
        mine = own.name.rpartition("-")[0].removesuffix(f"-{os.getpid()}")
        dead = tmp_path / f"{mine}-999999999-x"
        alive = tmp_path / f"{mine}-{os.getpid()}-y"
        # another machine's, whose name may begin like this one's
        foreign = [tmp_path / f"{mine}{more}-999999999-z" for more in ("x", "-77", "-1-2")]
        other_container = tmp_path / f".scratch-{socket.gethostname()}.1-999999999-x"
        for folder in (dead, alive, *foreign, other_container):
            folder.mkdir()
        with published(tmp_path / "key"):
            pass
        assert not dead.exists()
        assert all(folder.exists() for folder in (own, alive, *foreign, other_container))
    assert not own.exists()


def test_a_reader_never_sees_a_part(tmp_path):
    """One process publishes and removes an artifact over and over, another looks at it."""
    final, files = tmp_path / "kind" / "key", 30
    writer = os.fork()
    if writer == 0:
        for _ in range(50):
            with published(final) as scratch:
                for number in range(files):
                    (scratch / str(number)).write_text("x")
            time.sleep(0.01)  # for the other to see it
            final.rename(final.with_name("gone"))
            shutil.rmtree(final.with_name("gone"))
        os._exit(0)
    seen = set()
    while os.waitpid(writer, os.WNOHANG) == (0, 0):
        try:
            folder = os.open(final, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        # by descriptor, so that what is counted is one artifact, which may be on its way out
        if os.readlink(f"/proc/self/fd/{folder}") == str(final):
            names = len(os.listdir(folder))
            if os.readlink(f"/proc/self/fd/{folder}") == str(final):
                seen.add(names)
        os.close(folder)
    assert seen == {files}


@pytest.fixture
def umask():
    """Sets the umask for a test."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_group_s_store_is_open_to_the_group_whatever_the_umask(tmp_path, umask):
    store = tmp_path / "store"
    store.mkdir()
    store.chmod(0o2770)
    umask(0o077)
    final = store / "wheels" / "repo" / "key"
    with published(final) as scratch:
        (scratch / "inner").mkdir()
        (scratch / "inner" / "data").write_text("x")
        program = scratch / "program"
        program.write_text("x")
        program.chmod(0o700)
        (scratch / "link").symlink_to("nowhere")
    assert [mode(folder) for folder in (store / "wheels", final.parent, final)] == [0o2770] * 3
    assert mode(final / "inner") == 0o2770
    assert mode(final / "inner" / "data") == 0o640
    assert mode(final / "program") == 0o750


@pytest.mark.parametrize(("of_the_store", "file"), [(0o755, 0o644), (0o700, 0o600)])
def test_nobody_is_admitted_whom_the_store_does_not(tmp_path, umask, of_the_store, file):
    store = tmp_path / "store"
    store.mkdir(of_the_store)
    umask(0o077)
    with published(store / "key") as scratch:
        (scratch / "data").write_text("x")
    assert mode(store / "key") == of_the_store
    assert mode(store / "key" / "data") == file


def test_the_folder_of_a_store_is_made_and_its_parent_is_not(tmp_path):
    prepare(tmp_path / "store")
    assert list((tmp_path / "store").iterdir()) == []
    prepare(tmp_path / "store")
    with pytest.raises(UserError, match=r"store: there is no folder .*disk.* to have store in"):
        prepare(tmp_path / "disk" / "store")
    assert not (tmp_path / "disk").exists()


def test_a_store_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file is a file: name a folder"):
        prepare(tmp_path / "file")
    # nobody can write there, not even root
    with pytest.raises(
        UserError, match=r"store: cannot write into /proc/\w+ \(.+\): have its owner"
    ):
        prepare(Path("/proc/bus"))


def test_a_record_of_another_kind_is_named(tmp_path):
    path = tmp_path / "note.json"
    path.write_text('{"txt": "x"}')
    with pytest.raises(UserError, match=r"note.json: not a Note: text"):
        Note.read(path)
    with pytest.raises(UserError, match="no such record"):
        Note.read(tmp_path / "none.json")
    Note(text="x").write(path)
    assert Note.read(path) == Note(text="x")
