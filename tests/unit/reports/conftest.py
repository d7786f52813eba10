"""Every page that a test of this room writes is looked at as a browser takes it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.html_page import faults


@pytest.fixture(autouse=True)
def pages_are_valid(tmp_path: Path) -> Iterator[None]:
    """After a test: its pages parse, with ids that stand once and references that lead there."""
    yield
    for page in tmp_path.rglob("*.html"):
        assert not faults(page.read_text(encoding="utf-8")), page
