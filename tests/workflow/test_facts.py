"""What is known of a pinned source makes the plan; a source that says otherwise ends a run."""

import re
import shutil

import pytest

from snakedev.config.source_facts import SourceFacts
from tests.small_project import Project, git
from tests.workflow import small_engine

KINDS = ("source", "wheel", "environment")


@pytest.fixture
def project(project: Project) -> Project:
    del project.config["repos"]["greeter"]
    files = small_engine.FILES | {"requirements/cpu.txt": "packaging\n"}
    project.add_repo("vllm", "vllm", files, required=True)
    project.write_lock("build-any", ["setuptools"])
    project.write_lock("build-cpu", ["setuptools", "wheel"])
    project.write_lock("run-cpu", ["packaging"])
    project.config["variants"]["cpu"] = {"isa": ["avx2"], "onednn": False}
    return project


def planned(project: Project) -> set[str]:
    text = project.run("-n", "wheels_cpu").text
    return set(re.findall(rf"stamps/(?:{'|'.join(KINDS)})/\S+?/([0-9a-f]{{16}})\.json", text))


def test_a_plan_needs_no_source(project):
    before = planned(project)
    assert before
    made = project.run("wheels_cpu")
    assert made.code == 0 and "facts" in made.jobs, made.text
    results = project.folder / "results"
    found = {file for kind in KINDS for file in (results / "stamps" / kind).rglob("*.json")}
    assert {file.stem for file in found} == before
    assert "Nothing to be done" in project.run("wheels_cpu").text
    shutil.rmtree(results)
    assert planned(project) == before


def test_a_source_that_says_otherwise_ends_the_run(project):
    file = project.folder / "envs/vllm.source.json"
    known = SourceFacts.read(file)
    known.model_copy(update={"tags": {"cutlass": "v1.0"}}).write(file)
    ended = project.run("sources")
    assert ended.code != 0 and "source" not in ended.jobs
    assert f"{file}: tags: the source of vllm 1.0 says otherwise: run `snakemake locks`" in (
        ended.text
    )
    known.write(file)
    assert project.run("sources").code == 0


def test_patches_may_follow_a_pin_before_the_locks(project):
    upstream = project.upstreams / "vllm"
    git(upstream, "commit", "--quiet", "--allow-empty", "-m", "Go on")
    project.config["repos"]["vllm"]["git"]["commit"] = git(upstream, "rev-parse", "HEAD")
    ended = project.run("-n", "wheels_cpu")
    assert ended.code != 0
    (said,) = (line for line in ended.text.splitlines() if "vllm.source.json" in line)
    assert re.search(
        r"is of vllm 1\.0 \(commit \w{12}\), and repos\.vllm pins vllm 1\.0 \(commit \w{12}\): run "
        r"`snakemake locks`$",
        said,
    )
    assert project.run("edit_vllm").code == 0
