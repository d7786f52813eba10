"""What the benchmark of vLLM's scheduler puts before a run environment, and what it says."""

import subprocess

import pytest

from snakedev.base.errors import UserError
from tools.benchmarks.scheduling import overlay, summary
from tools.benchmarks.scheduling_work import PARTS


@pytest.fixture
def installed(tmp_path):
    folder = tmp_path / "installed" / "vllm"
    (folder / "v1").mkdir(parents=True)
    (folder / "__init__.py").write_text("installed")
    (folder / "_C.cpython-314t-x86_64-linux-gnu.so").write_text("compiled")
    (folder / "v1" / "_version.py").write_text("made by the build")
    return folder


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    (folder / "vllm" / "v1").mkdir(parents=True)
    (folder / "vllm" / "__init__.py").write_text("first")
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-qm", "first"],
    ):
        subprocess.run(["git", "-C", folder, *command], check=True)
    (folder / "vllm" / "__init__.py").write_text("edited")
    return folder


@pytest.mark.parametrize(("revision", "expected"), [("", "edited"), ("@HEAD", "first")])
def test_python_comes_from_the_tree_and_the_rest_from_the_environment(
    tmp_path, installed, tree, revision, expected
):
    (made := tmp_path / "made").mkdir()
    overlay(f"{tree}{revision}", installed, made)
    assert (made / "vllm" / "__init__.py").read_text() == expected
    assert (made / "vllm" / "_C.cpython-314t-x86_64-linux-gnu.so").read_text() == "compiled"
    assert (made / "vllm" / "v1" / "_version.py").read_text() == "made by the build"
    assert (installed / "__init__.py").read_text() == "installed"


def test_a_tree_without_vllm_is_refused(tmp_path, installed):
    with pytest.raises(UserError, match=r"has no vllm/__init__.py; give a checkout of vLLM"):
        overlay(str(tmp_path), installed, tmp_path)


def test_an_unknown_revision_is_refused(tmp_path, installed, tree):
    with pytest.raises(UserError, match=r"@0018: .*0018"):
        overlay(f"{tree}@0018", installed, tmp_path)


class Timed:
    """What summary() asks of a contender."""

    def __init__(self, name, seconds):
        self.name = name
        self.rounds = [dict.fromkeys(PARTS, 0.01) | {"schedule": taken} for taken in seconds]
        self.totals = [sum(found.values()) for found in self.rounds]


def test_ratios_are_of_the_rounds_that_ran_beside_each_other():
    # the second round met a busy machine, and hit both alike
    lines = summary(
        [Timed("installed", [0.93, 2.93, 0.93]), Timed("tree", [0.43, 1.43, 0.43])], 100
    )
    assert lines[0] == (
        "installed: 10.00 ms of processor per request (10.00 to 30.00), 1.00 of installed"
    )
    assert "tree: 5.00 ms of processor per request (5.00 to 15.00), 0.50 of installed" in lines
    assert "  schedule: 4.300 ms, 0.46" in lines
