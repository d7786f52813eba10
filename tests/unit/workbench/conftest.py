"""Benches that the workbench's tests share."""

import pytest

from tests.unit.workbench.bench import Bench


@pytest.fixture(params=["git", "release"])
def either(request, tmp_path, running) -> Bench:
    """A bench of each origin."""
    return Bench(tmp_path, running, request.param)


@pytest.fixture
def bench(tmp_path, running) -> Bench:
    return Bench(tmp_path, running, "release")


@pytest.fixture
def git_bench(tmp_path, running) -> Bench:
    return Bench(tmp_path, running, "git")
