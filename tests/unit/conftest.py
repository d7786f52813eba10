"""Fixtures that several unit tests share."""

import pytest

from snakedev.base.job import Job
from tests.unit.package_index import make_wheel, publish, served


@pytest.fixture
def running(tmp_path):
    """A job with a log of its own."""
    path = tmp_path / "job.log"
    with path.open("w", encoding="utf-8") as file:
        yield Job("test", file, path)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index with torch and what it needs, which pip is set to and uv is not."""
    folder, wheels = tmp_path / "index", tmp_path / "wheels"
    publish(folder, make_wheel(wheels, "torch", "2.11.0", ["needed>=1", "left-out"]))
    publish(folder, make_wheel(wheels, "needed", "1.0"))
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS", "UV_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    with served(folder) as url:
        monkeypatch.setenv("PIP_INDEX_URL", url)
        yield folder
