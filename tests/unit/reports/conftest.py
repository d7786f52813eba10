"""Every page that a test of this room writes is looked at as a browser takes it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from snakedev.base.job import Job
from tests.html_page import faults
from tests.unit.reports.small_vllm import Bench


@pytest.fixture
def bench(tmp_path: Path, running: Job) -> Bench:
    """A run of benchmarks that measures a small vLLM."""
    return Bench(tmp_path, running)


@pytest.fixture(autouse=True)
def pages_are_valid(tmp_path: Path) -> Iterator[None]:
    """After a test: its pages parse, with ids that stand once and references that lead there."""
    yield
    for page in tmp_path.rglob("*.html"):
        assert not faults(page.read_text(encoding="utf-8")), page
