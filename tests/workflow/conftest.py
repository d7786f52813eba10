"""What workflow tests share."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import PROJECT
from tests.small_project import GREETER, Project


@pytest.fixture(scope="session")
def python() -> Path:
    """The free-threaded interpreter, provided by the project itself where it is not there yet."""
    program = PROJECT / "results" / "interpreter" / "bin" / "python3.14t"
    if not program.exists():
        snakemake = Path(sys.executable).with_name("snakemake")
        subprocess.run([snakemake, "--cores", "1", "interpreter"], cwd=PROJECT, check=True)
    return program


@pytest.fixture
def project(tmp_path: Path, python: Path) -> Project:
    """A project with one repo that has a C extension."""
    made = Project(tmp_path / "project", python)
    made.add_repo("greeter", "setuptools", GREETER)
    return made
