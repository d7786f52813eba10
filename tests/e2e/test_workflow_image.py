"""A container of the image that holds the workflow builds a wheel, with the compilers in it.

What it runs is the workflow and the tools of the image; a small project, this project's interpreter
and the package index are the machine's.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from snakedev.fetch.indexes import index_environment
from snakedev.images.workflow import PROJECT as WORKFLOW
from tests.podman import HERE, LESS, podman_of
from tests.project import PROJECT
from tests.small_project import GREETER, Project
from tests.workflow.conftest import python  # noqa: F401 (a fixture)

pytestmark = pytest.mark.e2e


@HERE
def test_a_container_builds_a_wheel(tmp_path: Path, python: Path) -> None:  # noqa: F811
    snakemake = PROJECT / ".venv/bin/snakemake"
    subprocess.run([snakemake, "image_workflow"], cwd=PROJECT, check=True)
    archive = PROJECT / "results/image/workflow.tar"
    record = json.loads(archive.resolve().with_name("image.json").read_bytes())
    project = Project(tmp_path / "project", python)
    project.add_repo("greeter", "setuptools", GREETER)
    project.write_lock("build-any", ["setuptools"])
    project.command()  # writes the configuration
    for link in filter(Path.is_symlink, project.folder.iterdir()):
        link.unlink()
        link.symlink_to(f"{WORKFLOW}/{link.name}")
    index = {
        name: value
        for name, value in index_environment().items()
        if name.startswith("UV_") or name == "SSL_CERT_FILE"
    }
    with podman_of(tmp_path) as podman:
        subprocess.run([*podman, "load", "--input", archive], check=True)
        run = [*podman, "run", "--rm", "--network=host", "--read-only", *LESS]
        run += ["--tmpfs=/tmp", "--tmpfs=/home/vllm"]
        # as whom the project's folder belongs to
        run += ["--user=0", f"--volume={tmp_path}:{tmp_path}", f"--workdir={project.folder}"]
        run += [f"--volume={PROJECT}:{PROJECT}:ro", *(f"--env={name}" for name in index)]
        if bundle := index.get("SSL_CERT_FILE"):
            run += [f"--volume={bundle}:{bundle}:ro"]
        command = [*run, record["name"], "snakemake", "--cores=2", "wheels_cpu"]
        subprocess.run(command, check=True, env=os.environ | index)
    (wheel,) = project.folder.glob("results/wheels/any/greeter/*/wheel.json")
    assert "gcc 14" in wheel.read_text(encoding="utf-8")
