"""What workflow tests share."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import PROJECT
from tests.small_project import GREETER, Project
from tests.unit.small_hub import SmallHub
from tests.workflow import small_engine


@pytest.fixture(scope="session")
def python() -> Path:
    """The free-threaded interpreter, provided by the project itself where it is not there yet."""
    program = PROJECT / "results" / "interpreter" / "bin" / "python3.14t"
    if not program.exists():
        snakemake = Path(sys.executable).with_name("snakemake")
        subprocess.run([snakemake, "--cores", "1", "interpreter"], cwd=PROJECT, check=True)
    return program


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SmallHub]:
    """A hub with the model of the small engine, which every run of the test asks."""
    small = SmallHub()
    small.repos[small_engine.REPO, small_engine.REVISIONS[0]] = small_engine.model_files(b"abc")
    with small.served():
        monkeypatch.setenv("HF_ENDPOINT", small.endpoint)
        monkeypatch.setenv("HF_TOKEN", "")
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
        yield small


@pytest.fixture
def project(tmp_path: Path, python: Path) -> Project:
    """A project with one repo that has a C extension."""
    made = Project(tmp_path / "project", python)
    made.add_repo("greeter", "setuptools", GREETER)
    return made
