"""A small package index that this machine is set to, and nothing else."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.fetch.small_index import SmallIndex


@pytest.fixture
def small_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallIndex]:
    served = SmallIndex()
    for name in os.environ:
        if name.startswith(("UV_", "PIP_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with served.served():
        monkeypatch.setenv("PIP_INDEX_URL", f"http://{served.address}")
        yield served


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the pauses between tries would have been."""
    seen: list[float] = []
    monkeypatch.setattr("time.sleep", seen.append)
    return seen
