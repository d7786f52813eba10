"""Looking at what would run loses nothing: dry runs, summaries and graphs of every report."""

from pathlib import Path

import pytest

from tests.small_project import GREETER, Project, git
from tests.unit.package_index import make_wheel, publish, served

LOOKS = ("-n", "--summary", "--dag")


def made(project: Project) -> dict[str, bytes]:
    """Everything that a run has made and another one would miss, by its path."""
    places = ("reports", "bench_report", "smoke", "stamps", "wheelhouse", "sources", "wheels")
    files = (
        path for place in places for path in (project.folder / "results").glob(f"{place}/**/*")
    )
    return {str(path): path.read_bytes() for path in files if path.is_file()}


def look(project: Project, target: str, *arguments: str, **variables: str) -> None:
    """Look at a target in every way, and see that all that was made is there."""
    before = made(project)
    assert before
    for how in LOOKS:
        seen = project.run(target, *arguments, how, **variables)
        assert seen.code == 0, seen.text
        after = made(project)
        assert {path for path in before if after.get(path) != before[path]} == set(), how


def test_a_look_at_a_ref_that_moves(project):
    project.add_patch("greeter", "0001-say-hi", "greeter/_greet.c", '"hello"', '"hi"')
    main = git(project.upstreams / "greeter", "symbolic-ref", "--short", "HEAD")
    project.config["patch_report"] = {"refs": {"greeter": [main]}}
    assert project.run("patch_report").code == 0
    look(project, "patch_report")


def test_a_look_at_what_asks_the_index(project, tmp_path):
    vllm = {"pyproject.toml": "[build-system]\nrequires = []\n"}
    project.add_repo("vllm", "setuptools", vllm | {"requirements/cpu.txt": "packaging\n"})
    project.write_lock("run-cpu", ["packaging"])
    publish(tmp_path / "index", make_wheel(tmp_path / "wheels", "packaging", "25.0"))
    with served(tmp_path / "index") as url:
        variables = {"PIP_INDEX_URL": url, "UV_CACHE_DIR": str(tmp_path / "uv-cache")}
        done = project.run("compat_report", **variables)
        assert done.code == 0, done.text
        look(project, "compat_report", **variables)


def test_a_look_at_another_configuration(project):
    assert project.run("wheelhouse").code == 0
    view = project.folder / "results/wheelhouse/cpu/wheelhouse.json"
    shown = view.read_bytes()
    project.add_patch("greeter", "0001-say-hi", "greeter/_greet.c", '"hello"', '"hi"')
    look(project, "wheelhouse")
    assert view.read_bytes() == shown


@pytest.fixture
def reader(project: Project) -> Path:
    """A Snakefile that reads the project's as a job of another run does: it is not the head."""
    path = project.folder / "job.smk"
    text = (project.folder / "Snakefile").read_text(encoding="utf-8")
    assert "workflow.is_main_process" in text
    path.write_text(text.replace("workflow.is_main_process", "False"), encoding="utf-8")
    for name in ("rules", "scripts"):
        assert (project.folder / name).exists()
    return path


def test_a_job_without_the_head_s_plan_says_so_and_writes_nothing(project, reader):
    project.add_repo("other", "setuptools", GREETER)
    before = sorted(path for path in project.folder.rglob("*") if "results" in path.parts)
    seen = project.run("-n", "wheelhouse", "--snakefile", str(reader))
    assert seen.code == 1 and "SNAKEDEV_PLAN is not set in this job's process" in seen.text
    after = sorted(path for path in project.folder.rglob("*") if "results" in path.parts)
    assert after == before
