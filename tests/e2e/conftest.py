"""A fresh clone in which `make smoke` has run, for all tests of the real CPU path."""

import subprocess
from pathlib import Path

import pytest

from tests.workflow.conftest import PROJECT, Result


class Clone:
    """A clone of the project with an environment of tools."""

    def __init__(self, folder: Path, tools: Path | None = None):
        self.folder = folder
        self.tools = tools or folder / ".venv/bin"
        subprocess.run(["git", "clone", "--quiet", PROJECT, folder], check=True)

    def snakemake(self, *arguments: str) -> Result:
        """Run Snakemake in the clone; what it prints is shown too, for it may take long."""
        done = subprocess.run(
            [self.tools / "snakemake", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        print(done.stdout)
        assert done.returncode == 0, done.stdout
        return Result(done.returncode, done.stdout)


@pytest.fixture(scope="session")
def clone(tmp_path_factory) -> Clone:
    """The clone in which `make smoke` has run."""
    made = Clone(tmp_path_factory.mktemp("e2e") / "snakedev-vllm")
    subprocess.run(["make", "smoke"], cwd=made.folder, check=True)
    return made
