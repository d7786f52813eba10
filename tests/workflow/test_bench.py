"""The benchmark report by the real workflow: each run measures anew and adds a record."""

import json

import pandas as pd
import pytest

from snakedev.reports.bench.record import OFF, ON, STOCK
from tests.small_project import Project
from tests.unit.small_hub import SmallHub
from tests.workflow import small_engine


@pytest.fixture
def measured(project: Project, hub: SmallHub) -> Project:
    """A project whose small engine is measured as it is imported."""
    project.add_repo("vllm", "vllm", small_engine.FILES, required=True)
    project.write_lock("build-any", ["setuptools"])
    project.write_lock("build-cpu", ["setuptools", "wheel"])
    project.write_lock("run-cpu", ["packaging"])
    project.config["variants"]["cpu"] = {"isa": ["avx2"], "onednn": False}
    project.config["smoke"]["variants"] = ["cpu"]
    project.config["models"]["tiny"] = {
        "repo": small_engine.REPO,
        "revision": small_engine.REVISIONS[0],
    }
    project.config["bench_report"] = {
        "model": "tiny",
        "parts": ["import"],
        "rounds": 2,
        "stock": False,
    }
    return project


def test_each_run_measures_anew(measured: Project) -> None:
    project = measured
    folder = project.folder / "results/bench_report"
    first = project.run("bench_report")
    assert first.code == 0, first.text
    assert {"model", "environment", "bench_run", "bench_report"} <= set(first.jobs)
    assert "Importing vLLM takes" in first.text
    assert len(list(folder.glob("*Z-cpu.json"))) == 1

    # a look at what would run measures nothing and loses nothing
    record = project.folder / "results/reports/bench.json"
    shown = record.read_bytes()
    assert "bench_run" in project.run("-n", "bench_report").text
    assert record.read_bytes() == shown
    # nor does the page alone
    assert project.run("bench_page").jobs == ["bench_page"]
    again = project.run("bench_report")
    assert again.jobs == ["bench_report", "bench_run"]
    assert len(list(folder.glob("*Z-cpu.json"))) == 2
    table = pd.read_csv(project.folder / "results/reports/bench.csv")
    assert set(table.contender) == {OFF, ON} and table.started.nunique() == 2
    page = (project.folder / "results/reports/bench.html").read_text()
    assert "Importing vLLM takes" in page and "All runs" in page


def test_a_stock_wheel_is_built_of_what_upstream_has(measured: Project) -> None:
    project = measured
    of_three = ("An engine of three", "An engine of 3")
    ours = project.add_patch("vllm", "0001-our-own", "vllm/engine.py", *of_three)
    build = project.add_patch(
        "vllm", "0002-of-the-build", "setup.py", "import os", "import os, sys"
    )
    build.write_text(build.read_text().replace("\n---\n", "\n\nBuild-only: it says how.\n---\n", 1))
    project.config["bench_report"] |= {"stock": "built", "rounds": 1}
    first = project.run("bench_report")
    assert first.code == 0, first.text
    assert first.jobs.count("wheel") == 3  # the engine twice, and the greeter
    record = json.loads((project.folder / "results/reports/bench.json").read_bytes())["latest"][0]
    assert record["without_stock"] is None
    assert record["stock_patches"] == [build.name]
    assert {one["contender"] for one in record["imports"]} == {OFF, ON, STOCK}
    page = (project.folder / "results/reports/bench.html").read_text()
    assert "the same vLLM as upstream has it, built here" in page
    wheels = [
        json.loads(path.read_bytes())
        for path in (project.folder / "results/wheels/cpu/vllm").glob("*/wheel.json")
    ]
    assert {one["interpreter"]["abiflags"]: len(one["patches"]) for one in wheels} == {
        "t": 2,
        "": 1,
    }

    # a patch of ours changes nothing of it
    ours.write_text(ours.read_text().replace("of 3", "of III"))
    again = project.run("bench_report")
    assert again.code == 0 and again.jobs.count("wheel") == 1, again.text
    # and whoever prunes keeps it
    project.run("prune_now")
    assert len([*(project.folder / "results/wheels/cpu/vllm").iterdir()]) == 2


def test_a_run_without_a_model_says_what_to_name(project: Project) -> None:
    project.config["bench_report"] = {"parts": ["import"], "stock": False}
    refused = project.run("bench_report")
    assert refused.code != 0
    assert "bench_report.model: smoke.models is empty: name a model" in refused.text
