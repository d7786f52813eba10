"""The remote store on a real S3 server and in a folder: what is put, and what of it is taken."""

import hashlib
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import obstore
import pytest
from obstore.store import S3Store

from snakedev.store.remote import RemoteStore
from snakedev.store.spec import Spec
from tests import s3

DATA = bytes(range(256)) * 40_000


class Thing(Spec):
    """An artifact of a few files."""

    kind: ClassVar[str] = "thing"
    shelf: ClassVar[str] = "things"
    record_name: ClassVar[str] = "thing.json"
    remote: ClassVar[bool] = True
    number: int = 1

    @property
    def place(self) -> str:
        return "cpu/greeter"


SPEC = Thing()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3.serving() as address:
        yield address


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """The bucket, empty, in reach of the environment's credentials."""
    for name, value in s3.credentials(server).items():
        monkeypatch.setenv(name, value)
    there = s3.bucket(server)
    obstore.delete(there, list(s3.objects(there)))
    return there


def remote(url: str = s3.URL, *, write: bool = True, used: bool = True) -> RemoteStore:
    return RemoteStore(url, write=write, used=lambda: used)


def artifact(folder: Path, **record: Any) -> Path:
    """An artifact as its job has made it."""
    folder.mkdir()
    (folder / "thing.whl").write_bytes(DATA)
    (folder / "build.log").write_text("built\n", encoding="utf-8")
    sha256 = hashlib.sha256(DATA).hexdigest()
    known = {"key": SPEC.key, "file": "thing.whl", "sha256": sha256, **record}
    (folder / "thing.json").write_text(json.dumps(known), encoding="utf-8")
    return folder


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return artifact(tmp_path / "made")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where an artifact is to be had."""
    return tmp_path / "store" / SPEC.folder(SPEC.place, SPEC.key)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def listing(bucket: S3Store) -> str:
    (path,) = (path for path in s3.objects(bucket) if path.endswith(".json"))
    return path


def blob(bucket: S3Store) -> str:
    return next(path for path, data in s3.objects(bucket).items() if data == DATA)


def test_what_was_put_is_taken_whole(bucket: S3Store, made: Path, place: Path) -> None:
    remote().offer(SPEC, made)
    assert remote(write=False).take(SPEC, place)
    assert contents(place) == contents(made)


def test_a_folder_is_a_store_too(made: Path, place: Path, tmp_path: Path) -> None:
    url = (tmp_path / "shared").as_uri()
    remote(url).offer(SPEC, made)
    assert remote(url, write=False).take(SPEC, place)
    assert contents(place) == contents(made)
    assert not remote(url).take(Thing(number=2), place.with_name("other"))


def test_what_is_there_is_never_written_over(bucket: S3Store, made: Path) -> None:
    remote().offer(SPEC, made)
    there = s3.objects(bucket)
    (made / "build.log").write_text("built again\n", encoding="utf-8")
    remote().offer(SPEC, made)
    assert s3.objects(bucket) == there


@pytest.mark.parametrize(
    ("options", "record"),
    [
        ({"write": False}, {}),
        ({"used": False}, {}),
        ({}, {"paths": "real", "network": "none"}),
        ({}, {"paths": "fixed", "network": "open"}),
    ],
    ids=["not asked to", "a dry run", "real paths", "with the network"],
)
def test_what_is_not_put(
    bucket: S3Store, tmp_path: Path, options: dict[str, bool], record: dict[str, str]
) -> None:
    remote(**options).offer(SPEC, artifact(tmp_path / "made", **record))
    assert s3.objects(bucket) == {}


def test_a_damaged_artifact_is_not_put(
    bucket: S3Store, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (made / "thing.whl").write_bytes(DATA[1:])
    remote().offer(SPEC, made)
    assert s3.objects(bucket) == {}
    assert "thing.whl is not what thing.json says" in capsys.readouterr().err


def test_a_dry_run_asks_nobody(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not remote("s3://nowhere.invalid/at-all", used=False).take(SPEC, place)
    assert capsys.readouterr().err == ""


def cut_short(bucket: S3Store) -> None:
    obstore.put(bucket, blob(bucket), DATA[:-100])


def other_bytes(bucket: S3Store) -> None:
    obstore.put(bucket, blob(bucket), DATA[::-1])


def more_bytes(bucket: S3Store) -> None:
    obstore.put(bucket, blob(bucket), DATA + b"0")


def no_file(bucket: S3Store) -> None:
    obstore.delete(bucket, blob(bucket))


def edit(bucket: S3Store, old: str, new: str) -> None:
    path = listing(bucket)
    text = s3.objects(bucket)[path].decode()
    assert old in text
    obstore.put(bucket, path, text.replace(old, new).encode())


def another_s_list(bucket: S3Store) -> None:
    edit(bucket, SPEC.key, "0" * 16)


def a_list_that_climbs_out(bucket: S3Store) -> None:
    edit(bucket, "build.log", "../../build.log")


def a_list_without_the_record(bucket: S3Store) -> None:
    edit(bucket, "thing.json", "thing.txt")


def no_list_at_all(bucket: S3Store) -> None:
    obstore.put(bucket, listing(bucket), b"<html>")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (cut_short, "thing.whl has another sha256"),
        (other_bytes, "thing.whl has another sha256"),
        (more_bytes, "thing.whl has another sha256"),
        (no_file, "thing.whl is missing"),
        (another_s_list, "it is of the key 0000000000000000"),
        (a_list_that_climbs_out, "'../../build.log' is no file's name"),
        (a_list_without_the_record, "thing.json is missing"),
        (no_list_at_all, "Listing"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_is_not_whole_is_not_taken(
    bucket: S3Store,
    made: Path,
    place: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    harm: Any,
    said: str,
) -> None:
    remote().offer(SPEC, made)
    harm(bucket)
    asked = remote()
    capsys.readouterr()
    assert not asked.take(SPEC, place)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: store_remote {s3.URL}: thing cpu/greeter {SPEC.key} there")
    assert said in line and line.endswith("it is made here")
    assert list(place.parent.glob("*")) == []
    # others can be had
    other = Thing(number=2)
    remote().offer(other, artifact(tmp_path / "other", key=other.key))
    assert asked.take(other, tmp_path / "taken")


def test_what_was_cut_off_while_it_was_put_is_nothing(
    bucket: S3Store, made: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remote().offer(SPEC, made)
    obstore.delete(bucket, listing(bucket))
    capsys.readouterr()
    assert not remote().take(SPEC, place)
    assert capsys.readouterr().err == ""
    remote().offer(SPEC, made)
    assert remote().take(SPEC, place)


def test_a_lost_connection_ends_the_asking(
    bucket: S3Store,
    server: str,
    made: Path,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    remote().offer(SPEC, made)
    capsys.readouterr()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=cut_answers, args=(listening, server), daemon=True).start()
        host, port = listening.getsockname()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        asked = remote()
        assert not asked.take(SPEC, place)
        assert not asked.take(Thing(number=2), place)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("this run does without it")
    assert list(place.parent.glob("*")) == []


def cut_answers(listening: socket.socket, server: str) -> None:
    """Hand requests on, and of each answer the first 900 bytes."""
    host, port = server.removeprefix("http://").split(":")
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        with client, socket.create_connection((host, int(port))) as upstream:
            upstream.sendall(client.recv(65536))
            client.sendall(upstream.recv(900, socket.MSG_WAITALL))


def test_two_at_once_put_one_artifact(bucket: S3Store, made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "other")
    (tmp_path / "other/build.log").write_text("built elsewhere\n", encoding="utf-8")
    both = [
        threading.Thread(target=remote().offer, args=(SPEC, folder))
        for folder in (made, tmp_path / "other")
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    place = tmp_path / "taken"
    assert remote().take(SPEC, place)
    assert contents(place) in (contents(made), contents(tmp_path / "other"))
