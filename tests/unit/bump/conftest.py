"""Fixtures of the tests of moves."""

import pytest

from tests.unit.bump.bench import BumpBench
from tests.unit.package_index import served


@pytest.fixture
def asked_index(tmp_path, monkeypatch):
    """The folder of an index on loopback, which pip is set to and uv is not."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    with served(tmp_path / "index") as url:
        monkeypatch.setenv("PIP_INDEX_URL", url)
        yield tmp_path / "index"


@pytest.fixture
def bench(tmp_path, asked_index, running, monkeypatch):
    """A project in the working folder whose one repo is pinned at the only release of an index."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return BumpBench(folder, asked_index, running)
