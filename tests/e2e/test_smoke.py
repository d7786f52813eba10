"""The real CPU path in a fresh clone: `make smoke`, from nothing to answers with the GIL off."""

import json
import subprocess

import pytest
import yaml

from snakedev.fetch.indexes import index_environment

pytestmark = pytest.mark.e2e


def test_a_model_answers_with_the_gil_off(clone):
    record = json.loads((clone.folder / "results/smoke/cpu/smollm2-135m.json").read_text())
    assert record["passed"]
    assert {process["gil_setting"] for process in record["processes"]} == {None}
    assert any("Paris" in answer["text"] for answer in record["answers"])
    assert (clone.folder / "results/reports/smoke.html").stat().st_size > 10_000
    assert (clone.folder / "results/reports/smoke.csv").is_file()


def test_a_second_run_has_nothing_to_do(clone):
    assert "Nothing to be done" in clone.snakemake("smoke_report").text


def test_vllm_starts_with_the_gil_off_without_being_told_to(clone):
    clone.snakemake("gil_report")
    reports = clone.folder / "results/reports"
    report = json.loads((reports / "gil.json").read_text())
    assert report["verdicts"] == {"cpu": "yes"}
    (trial,) = report["trials"]
    assert [one["module"] for one in trial["modules"] if one["outcome"] == "on"] == []
    ours = [one for one in trial["modules"] if one["distribution"] == "vllm"]
    assert ours and all(one["built_here"] and one["patches"] for one in ours)
    assert (reports / "gil.html").is_file() and (reports / "gil.csv").is_file()
    assert "Nothing to be done" in clone.snakemake("gil_report").text


def test_what_threads_give_is_measured(clone):
    quick = "{parts: [threads], rounds: 2, seconds: 0.1, threads: 2, stock: false}"
    clone.snakemake("bench_report", "--config", f"bench_report={quick}")
    report = json.loads((clone.folder / "results/reports/bench.json").read_text())
    (run,) = report["latest"]
    states = {one["name"]: one["gil_enabled"] for one in run["interpreters"]}
    assert states == {"GIL off": False, "GIL on": True}
    assert [part["name"] for part in run["threads"]] == [
        "tokenise",
        "detokenise",
        "chat template",
        "masks (xgrammar)",
        "masks (llguidance)",
        "images (pages)",
        "images (thumbnails)",
    ]
    for part in run["threads"]:
        measured = [(point["contender"], point["threads"]) for point in part["points"]]
        assert sorted(measured) == [(n, t) for n in ("GIL off", "GIL on") for t in (1, 2)]
        assert all(min(point["rates"]) > 0 for point in part["points"])


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
    pins = yaml.safe_load((clone.folder / "config.yaml").read_text(encoding="utf-8"))["repos"]
    assert said.split()[-2:] == [f"{pins['vllm']['version']}+cpu", "False"]


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
