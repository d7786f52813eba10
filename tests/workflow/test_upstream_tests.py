"""Upstream's own tests of a small repo, in all columns that are ours: what passes, and what not."""

import csv

import pytest

from tests.small_project import GREETER, Project

TESTS = """
import os
import sys
import time
from pathlib import Path
from tempfile import gettempdir

import greeter

OFF = not sys._is_gil_enabled()
inside = 0


def test_passes():
    assert greeter.greet() == "hello"


def test_fails_with_the_gil_off():
    assert not OFF


def test_fails_in_threads():
    global inside
    inside += 1
    time.sleep(0.2)
    alone = inside == 1
    inside -= 1
    assert alone


def test_aborts():
    if OFF:
        os.abort()


def test_hangs():
    if OFF:
        time.sleep(1000)


def test_fails_anyway():
    raise ValueError("no hub")


def test_passes_behind_them():
    assert greeter.__file__.find("site-packages") > 0


def test_writes_elsewhere_than_the_user_s_own_sessions(tmp_path):
    assert not tmp_path.relative_to(gettempdir()).parts[0].startswith("pytest-of-")
"""
CONFTEST = """
import os

assert "PYTEST_XDIST_WORKER" in os.environ, "loaded where no test runs"


def pytest_addoption(parser):
    parser.addoption("--greeting", default="none")
"""
KNOWN = """
greeter:
  tests/test_greeter.py::test_fails_with_the_gil_off:
    columns: [free, threads]
    reason: it asks for the GIL
  tests/test_greeter.py::test_aborts:
    columns: [free, threads]
    reason: it aborts
  tests/test_greeter.py::test_hangs:
    columns: [free, threads]
    reason: it sleeps
  tests/test_greeter.py::test_fails_in_threads:
    columns: [threads]
    reason: it counts who is inside
  tests/test_greeter.py::test_passes:
    columns: [free]
    reason: it once failed
"""
TOOLS = ("pytest", "pytest-reportlog", "pytest-run-parallel", "pytest-timeout", "pytest-xdist")
NEEDED = ("execnet", "iniconfig", "packaging", "pluggy", "pygments")


@pytest.fixture
def tested(project: Project) -> Project:
    files = {**GREETER, "tests/test_greeter.py": TESTS, "tests/test_more.py": "def test(): pass\n"}
    files["tests/conftest.py"] = CONFTEST
    suite = {"paths": ["tests"], "quick": ["tests/test_more.py"], "seconds": 3, "memory_gb": 0.01}
    project.add_repo("greeter", "setuptools", files, tests=suite)
    project.write_lock("test-cpu", [*TOOLS, *NEEDED], like="test-cpu run-cpu")
    project.config["test_report"] = {"columns": ["gil", "free", "threads"], "threads": 4}
    return project


def outcomes(project: Project) -> dict[str, list[str]]:
    """How each test ended, with the GIL on, off, and off in threads."""
    with (project.folder / "results/reports/tests.csv").open() as file:
        rows = {row["test"].rpartition("::")[2]: row for row in csv.DictReader(file)}
    return {test: [row[name] for name in ("gil", "free", "threads")] for test, row in rows.items()}


def test_tests_are_told_by_what_they_do_where(tested: Project) -> None:
    result = tested.run("test_report")
    assert result.code != 0
    assert outcomes(tested) == {
        "test_passes": ["passed"] * 3,
        "test_fails_with_the_gil_off": ["passed", "failed", "failed"],
        "test_fails_in_threads": ["passed", "passed", "failed"],
        "test_aborts": ["passed", "crashed", "crashed"],
        "test_hangs": ["passed", "hung", "hung"],
        "test_fails_anyway": ["failed"] * 3,
        "test_passes_behind_them": ["passed"] * 3,
        "test_writes_elsewhere_than_the_user_s_own_sessions": ["passed"] * 3,
        "test": ["passed"] * 3,
    }
    assert (
        "greeter: tests/test_greeter.py::test_hangs hangs (GIL off): it did not end" in result.text
    )
    assert "test_fails_anyway" not in result.text
    # the stacks of what hung and what crashed are in the log
    log = next(tested.folder.glob("results/logs/tests/cpu/greeter/free/*.log")).read_text()
    assert "in test_hangs" in log
    assert "Fatal Python error: Aborted" in log

    # what is known does not fail the target, and what no longer differs is told
    known = tested.folder / "docs/findings/test-differences.yaml"
    known.parent.mkdir(parents=True)
    known.write_text(KNOWN)
    again = tested.run("test_report")
    assert again.jobs == ["test_report", "tests_page"]
    assert "test_greeter.py::test_passes (free): it passes: take it out of" in again.text
    assert tested.run("test_report", "-n").named_jobs == set()

    # a smaller selection is what is known of it already
    quick = tested.run("test_report", "--config", "test_report={tests: quick}")
    assert quick.code == 0
    assert "1 of 1 files are known from an earlier run" in quick.text
    assert outcomes(tested) == {"test": ["passed"] * 3}
