"""The real CPU path in a fresh clone: `make smoke`, from nothing to answers with the GIL off."""

import json
import subprocess

import pytest

from scripts.indexes import index_environment
from tests.readme import blocks, run

pytestmark = pytest.mark.e2e


def test_a_model_answers_with_the_gil_off(clone):
    record = json.loads((clone.folder / "results/smoke/cpu/smollm2-135m.json").read_text())
    assert record["passed"]
    assert any("Paris" in answer["text"] for answer in record["answers"])
    assert (clone.folder / "results/reports/smoke.html").stat().st_size > 10_000
    assert (clone.folder / "results/reports/smoke.csv").is_file()


def test_a_second_run_has_nothing_to_do(clone):
    assert "Nothing to be done" in clone.snakemake("smoke_report").text


def test_vllm_installs_by_name_from_the_wheelhouse(clone, tmp_path):
    clone.snakemake("wheelhouse")
    environment = tmp_path / "venv"
    python = clone.folder / "results/interpreter/bin/python3.14t"
    uv = clone.tools / "uv"
    subprocess.run([uv, "venv", "--python", python, environment], check=True)
    house = clone.folder / "results/wheelhouse/cpu/simple"
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
        ["bash", "-c", script], cwd=clone.folder, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    assert said.split()[-2:] == ["0.26.0+cpu", "False"]


def test_compiling_the_locks_again_changes_nothing(clone):
    clone.snakemake("locks")
    changed = subprocess.run(
        ["git", "status", "--porcelain"],
        cwd=clone.folder,
        check=True,
        capture_output=True,
        text=True,
    )
    assert changed.stdout == ""


def test_the_readme_changes_a_patch_of_vllm_and_sees_it_run(clone):
    """The chapter's blocks as they stand; the last of the tests here, for it adds a patch."""
    changing = blocks((clone.folder / "README.md").read_text(), "Change a patch")
    said = [run(clone.folder, clone.tools, block) for block in changing]
    # what the grep of the second block found in the engine's log
    assert "Initializing a V1 LLM engine (v0.26.0+cpu, patched) with config" in said[1]
    assert "?? patches/vllm/" in said[2]
    record = json.loads((clone.folder / "results/smoke/cpu/smollm2-135m.json").read_text())
    assert record["passed"] and record["work"] == {}
    wheels = [
        json.loads(f.read_text()) for f in clone.folder.glob("results/wheels/cpu/vllm/*/wheel.json")
    ]
    (patched,) = (w for w in wheels if "patched" in w["patches"][-1]["subject"])
    assert patched["key"] in {
        spec.stem for spec in clone.folder.glob("results/stamps/wheel/cpu/vllm/*")
    }
