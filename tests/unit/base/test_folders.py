"""Folders for scratch files: the usual one where it fits, and another one where it does not."""

import multiprocessing.connection
import tempfile
from pathlib import Path

import pytest

from snakedev.base.folders import for_code, for_sockets


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a folder of a length the one of TMPDIR."""

    def choose(length: int) -> Path:
        folder = Path(f"{tmp_path}/{'x' * (length - len(str(tmp_path)) - 1)}")
        folder.mkdir()
        monkeypatch.setenv("TMPDIR", str(folder))
        monkeypatch.setattr(tempfile, "tempdir", None)
        return folder

    return choose


def test_the_usual_folder_serves_where_it_fits(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", "/var/tmp")
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert for_code() == for_sockets() == Path("/var/tmp")


def test_sockets_lie_where_their_addresses_are_short_enough(chosen):
    chosen(120)
    folder = for_sockets()
    with multiprocessing.connection.Listener(f"{folder}/{'4c0ab5d1-72ea-4a6b-8c3e-0f8b7b7a9d12'}"):
        pass
    assert for_code() == Path(tempfile.gettempdir())
