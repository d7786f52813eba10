"""Jobs on a real Slurm of two nodes, one without network: the small workflow, and real wheels.

It takes some minutes: `make e2e E2E=slurm`. The wheels for CUDA, with upstream's kernels, take
twenty more and 10 GB: SLURM_CUDA=1 asks for them.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import slurm
from tests.cluster import TOOLS, provide_tools
from tests.e2e.conftest import Clone
from tests.small_project import GREETER, PROJECT, Project, Result
from tests.unit.small_hub import SmallHub
from tests.workflow import small_engine
from tests.workflow.conftest import python  # noqa: F401 (a fixture)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.getuid() != 0, reason="Slurm reads /etc/slurm alone, which is root's"),
]
PROFILE = ("--workflow-profile", "profiles/slurm")
# of a cluster that is quick to answer, and has four cores on a node
HERE = (
    *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"),
    *("--max-threads", "4", "--set-resources", "smoke:gpu=1", "--slurm-no-account"),
)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    provide_tools()
    with slurm.cluster(tmp_path_factory.mktemp("slurm")):
        yield


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, python: Path) -> Iterator[Project]:  # noqa: F811
    """The small workflow, with a model of a hub on loopback; one test builds for the next."""
    folder = tmp_path_factory.mktemp("small")
    small = SmallHub()
    small.repos[small_engine.REPO, small_engine.REVISIONS[0]] = small_engine.model_files(b"abc")
    made = Project(folder / "project", python)
    made.add_repo("greeter", "setuptools", GREETER)
    made.write_lock("build-any", ["setuptools"])
    made.config["variants"]["cpu"] = {"isa": ["avx2"], "onednn": False}
    small_engine.add_to(made)
    with small.served(), pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("HF_ENDPOINT", small.endpoint)
        monkeypatch.setenv("HF_TOKEN", "")
        monkeypatch.setenv("HF_HOME", str(folder / "hub"))
        yield made


def run(folder: Path, *arguments: str) -> Result:
    began = time.monotonic()
    done = subprocess.run(
        [TOOLS / "snakemake", *PROFILE, *HERE, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(done.stdout, f"{time.monotonic() - began:.0f} s on Slurm", sep="\n")
    return Result(done.returncode, done.stdout)


def greeter_key(project: Project) -> str:
    (folder,) = project.folder.glob("results/wheels/any/greeter/*")
    return folder.name


def test_the_small_workflow(project: Project, nodes: None) -> None:
    local = project.run("-n", "smoke_report", "wheelhouse").named_jobs
    done = run(project.folder, "smoke_report", "wheelhouse")
    assert done.named_jobs == local
    asked = {job["Comment"].partition("_wildcards")[0]: job for job in slurm.jobs()}
    for job in slurm.jobs():
        gpus = job.get("TresPerJob", "no GPU")
        print(
            *(job[name] for name in ("Comment", "NodeList", "TRES", "TimeLimit", "RunTime")), gpus
        )
    assert asked.keys() == {"rule_wheel", "rule_smoke"}
    assert {job["NodeList"] for job in slurm.jobs()} == {"n1", "n2"}
    assert (
        asked["rule_smoke"]["NodeList"] == "n2" and "gres:gpu" in asked["rule_smoke"]["TresPerJob"]
    )
    (greeter,) = [job for job in slurm.jobs() if job["Comment"].endswith(greeter_key(project))]
    assert "cpu=4,mem=11000M" in greeter["TRES"] and greeter["TimeLimit"] == "01:00:00"
    (record,) = project.folder.glob("results/smoke/cpu/tiny/*/smoke.json")
    assert json.loads(record.read_bytes())["passed"]
    # a second run has nothing to do, here and there
    assert run(project.folder, "smoke_report", "wheelhouse").named_jobs == set()
    assert project.run("smoke_report", "wheelhouse").named_jobs == set()


def test_a_job_that_fails_says_why(project: Project, nodes: None) -> None:
    project.add_patch("greeter", "0001-break", "greeter/_greet.c", "#include", "#inklude")
    project.command()  # writes the configuration
    done = run(project.folder, "wheels_cpu")
    assert done.code != 0
    assert "invalid preprocessing directive #inklude" in done.text


@pytest.mark.skipif(not os.environ.get("SLURM_CUDA"), reason="SLURM_CUDA=1 asks for it")
def test_wheels_for_cuda_with_upstream_s_kernels(
    tmp_path_factory: pytest.TempPathFactory, nodes: None
) -> None:
    clone = Clone(tmp_path_factory.mktemp("cuda") / "snakedev-vllm", PROJECT / ".venv/bin")
    settings = 'variants={cpu: {isa: all}, cuda: {kernels: upstream, architectures: ["9.0a"]}}'
    done = run(clone.folder, "wheels_cuda", "--config", settings)
    assert done.code == 0
    assert list(clone.folder.glob("results/wheels/cuda/vllm/*/*.whl"))
