"""Profiles for clusters stand in place of the default one, and their scripts say what they ask."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.project import PROJECT
from tests.small_kubernetes import Kubernetes

PROPERTIES = {
    "rule": "gil_trial",
    "wildcards": {"variant": "cuda"},
    "threads": 4,
    "resources": {"mem_mb": 10000, "runtime": 60, "gpu": 1},
}
needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="there is no kubectl")


def profile(name: str) -> dict[str, object]:
    return yaml.safe_load((PROJECT / "profiles" / name / "config.yaml").read_text())


@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_a_cluster_s_profile_repeats_the_default_one_but_for_its_cores(name: str) -> None:
    usual = profile("default")
    assert usual.pop("cores") == "all"
    theirs = profile(name)
    assert "cores" not in theirs
    assert {key: theirs.get(key) for key in usual} == usual


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A project's folder with Kubernetes' profile, filled in for this site."""
    folder = tmp_path / "project"
    shutil.copytree(PROJECT / "profiles", folder / "profiles")
    template = folder / "profiles/kubernetes/job.yaml"
    text = template.read_text().replace("IMAGE\n", "registry.example/builder:1\n")
    text = text.replace("claimName: CLAIM", "claimName: project")
    template.write_text(text.replace("mountPath: /project", f"mountPath: {tmp_path}"))
    (folder / "job.sh").write_text(f"#!/bin/sh\n# properties = {json.dumps(PROPERTIES)}\ntrue\n")
    return folder


def ask(folder: Path, script: str, *arguments: str, **variables: str) -> tuple[str, str]:
    done = subprocess.run(
        [f"profiles/kubernetes/{script}", *arguments],
        cwd=folder,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
    )
    return done.stdout.strip(), done.stderr.strip()


@needs_kubectl
def test_what_a_job_asks_for_reaches_kubernetes(site: Path, tmp_path: Path) -> None:
    cluster = Kubernetes(tmp_path, runs=False)
    with cluster.served() as config:
        name, said = ask(site, "submit", "job.sh", KUBECONFIG=str(config))
        assert (name, said) == ("snakedev-gil-trial-0", "")
        job = cluster.jobs[name]
        assert job["spec"]["activeDeadlineSeconds"] == 3600 and job["spec"]["backoffLimit"] == 0
        pod = job["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["command"] == ["bash", str(site / "job.sh")]
        assert container["workingDir"] == str(site)
        assert container["resources"] == {
            "requests": {"cpu": 4, "memory": "10000M"},
            "limits": {"cpu": 4, "memory": "10000M", "nvidia.com/gpu": 1},
        }
        assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "project"}
        assert ask(site, "status", name, KUBECONFIG=str(config)) == ("running", "")
        ask(site, "cancel", name, KUBECONFIG=str(config))
        assert cluster.deleted == [name]
        assert ask(site, "status", name, KUBECONFIG=str(config)) == ("failed", "")
    # a server that is not there says nothing about a job
    assert ask(site, "status", name, KUBECONFIG=str(config))[0] == "running"


def test_a_template_that_is_not_filled_in_is_one_line(site: Path) -> None:
    shutil.copytree(PROJECT / "profiles", site / "profiles", dirs_exist_ok=True)
    _, said = ask(site, "submit", "job.sh")
    file = site / "profiles/kubernetes/job.yaml"
    assert said == f"{file}: put an image in the place of IMAGE, and a claim in that of CLAIM"


def test_a_project_outside_the_volume_is_one_line(site: Path) -> None:
    file = site / "profiles/kubernetes/job.yaml"
    file.write_text(file.read_text().replace(f"mountPath: {site.parent}", "mountPath: /elsewhere"))
    _, said = ask(site, "submit", "job.sh")
    assert said == f"{file}: no mountPath has {site} in it: mount the volume there, too"
