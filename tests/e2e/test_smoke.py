"""The real CPU path in a fresh clone: `make smoke`, from nothing to answers with the GIL off."""

import json
import subprocess
from pathlib import Path

import pytest

from scripts.indexes import index_environment
from tests.readme import blocks, run

PROJECT = Path(__file__).parents[2]
pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A fresh clone in which `make smoke` has run."""
    folder = tmp_path_factory.mktemp("e2e") / "snakedev-vllm"
    subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(folder)], check=True)
    subprocess.run(["make", "smoke"], cwd=folder, check=True)
    return folder


def snakemake(clone: Path, *arguments: str) -> str:
    """What a Snakemake run in the clone prints."""
    return subprocess.run(
        [clone / ".venv/bin/snakemake", *arguments],
        cwd=clone,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ).stdout


def test_a_model_answers_with_the_gil_off(clone):
    record = json.loads((clone / "results/smoke/cpu/smollm2-135m.json").read_text())
    assert record["passed"]
    assert any("Paris" in answer["text"] for answer in record["answers"])
    assert (clone / "results/reports/smoke.html").stat().st_size > 10_000
    assert (clone / "results/reports/smoke.csv").is_file()


def test_a_second_run_has_nothing_to_do(clone):
    assert "Nothing to be done" in snakemake(clone, "smoke_report")


def test_vllm_installs_by_name_from_the_wheelhouse(clone, tmp_path):
    snakemake(clone, "wheelhouse")
    environment = tmp_path / "venv"
    python = clone / "results/interpreter/bin/python3.14t"
    uv = clone / ".venv/bin/uv"
    subprocess.run([uv, "venv", "--python", python, environment], check=True)
    house = clone / "results/wheelhouse/cpu/simple"
    target = ["--python", environment / "bin/python"]
    index = index_environment()
    install = [uv, "pip", "install", *target, "--index", house.as_uri(), "vllm"]
    subprocess.run(install, check=True, env=index)
    subprocess.run([uv, "pip", "check", *target], check=True)
    code = "from vllm import LLM; print(LLM.__name__)"
    subprocess.run([environment / "bin/python", "-c", code], check=True, cwd=tmp_path)


def test_the_printed_line_activates_the_run_environment(clone):
    ask = "python -c 'import sys, vllm; print(vllm.__version__, sys._is_gil_enabled())'"
    script = f'eval "$(.venv/bin/snakemake env_cpu)" && {ask}'
    said = subprocess.run(
        ["bash", "-c", script], cwd=clone, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    assert said.split()[-2:] == ["0.26.0+cpu", "False"]


def test_compiling_the_locks_again_changes_nothing(clone):
    snakemake(clone, "locks")
    changed = subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone, check=True, capture_output=True, text=True
    )
    assert changed.stdout == ""


def test_the_readme_changes_a_patch_of_vllm_and_sees_it_run(clone):
    """The chapter's blocks as they stand; the last of the tests here, for it adds a patch."""
    changing = blocks((clone / "README.md").read_text(), "Change a patch")
    said = [run(clone, clone / ".venv/bin", block) for block in changing]
    # what the grep of the second block found in the engine's log
    assert "Initializing a V1 LLM engine (v0.26.0+cpu, patched) with config" in said[1]
    assert "?? patches/vllm/" in said[2]
    record = json.loads((clone / "results/smoke/cpu/smollm2-135m.json").read_text())
    assert record["passed"] and record["work"] == {}
    wheels = [json.loads(f.read_text()) for f in clone.glob("results/wheels/cpu/vllm/*/wheel.json")]
    (patched,) = (w for w in wheels if "patched" in w["patches"][-1]["subject"])
    assert patched["key"] in {spec.stem for spec in clone.glob("results/stamps/wheel/cpu/vllm/*")}
