"""Fixtures of the tests of upstream kits: a project with two patches, and its upstream."""

import pytest

from tests.unit.bump.conftest import asked_index, bench
from tests.unit.upstream.bench import KitBench

__all__ = ["asked_index", "bench"]


@pytest.fixture
def kit(bench, tmp_path):
    """The project, whose upstream is a git repository of its own that a kit may ask."""
    return KitBench(bench, tmp_path / "main")
