"""Jobs on another machine: one plan by the head, which every job follows.

The machine is namespaces of this one: another hostname, no network, other programs. That a real
batch system takes the same is what tests/e2e/test_slurm.py shows.
"""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from snakedev.machine.sandbox import permitted
from tests.cluster import Cluster, provide_tools
from tests.small_project import Project
from tests.unit.small_hub import SmallHub
from tests.workflow import small_engine

pytestmark = pytest.mark.skipif(
    not permitted(cut_network=True), reason="this kernel permits no namespaces"
)

OTHER_GCC = """#!/bin/sh
for word; do
  case "$word" in -dumpfullversion) echo 99.1.0; exit ;; esac
done
exec {gcc} "$@"
"""


@pytest.fixture
def cluster(project: Project) -> Cluster:
    """The project, with a node that runs its jobs."""
    provide_tools()
    project.write_lock("build-any", ["setuptools"])
    project.config["variants"]["cpu"] = {"isa": ["avx2"], "onednn": False}
    return Cluster(project)


def test_the_small_workflow_from_sources_to_the_report(
    cluster: Cluster, project: Project, hub: SmallHub
) -> None:
    small_engine.add_to(project)
    results = project.folder / "results"
    local = project.run("-n", "smoke_report", "wheelhouse").named_jobs
    machine = results / "machine.json"
    probed = machine.read_bytes()
    done = cluster.run("smoke_report", "wheelhouse")
    assert done.named_jobs == local, done.text + cluster.said
    there = re.findall(r"^node: node1 snakejob\.(\w+)\.", cluster.said, re.MULTILINE)
    assert sorted(there) == ["smoke", "wheel", "wheel"]
    (record,) = results.glob("smoke/cpu/tiny/*/smoke.json")
    assert json.loads(record.read_bytes())["passed"]
    # the node writes nothing of the plan, and has a probe of its own
    assert machine.read_bytes() == probed
    assert [path.name for path in results.glob("machines/*")] == ["node1.json"]
    (root,) = results.glob("roots/*")
    assert "node1" not in root.name
    # both find all of it
    assert project.run("smoke_report", "wheelhouse").named_jobs == set()
    assert cluster.run("-n", "smoke_report", "wheelhouse").named_jobs == set()


def test_a_node_with_another_compiler_is_refused_in_a_line(
    cluster: Cluster, project: Project
) -> None:
    gcc = subprocess.run(["which", "gcc"], capture_output=True, text=True, check=True).stdout
    for name in ("gcc", "cc"):
        program = cluster.programs / name
        program.write_text(OTHER_GCC.format(gcc=gcc.strip()), encoding="utf-8")
        program.chmod(0o755)
    done = cluster.run("wheels_cpu")
    assert done.code != 0
    (log,) = project.folder.glob("results/logs/wheel/any/greeter/*.log")
    (line,) = [s for s in cluster.said.splitlines() if "planned for" in s]
    assert re.search(r"planned for gcc \S+ .*, and node1 has gcc 99\.1\.0 ", line), line
    assert "planned for" in log.read_text() and "planned for" in done.text
    assert not list(project.folder.glob("results/wheels/any/greeter/*"))
    assert not list(project.folder.glob("results/build/any/greeter/*/tree"))


# Builds until it is told to go on.
HELD_SETUP = """
import os, time
from setuptools import Extension, setup
with open({marker!r}, "a") as marker:
    marker.write("built\\n")
while not os.path.exists({go!r}):
    time.sleep(0.1)
setup(name="greeter", version="1.0", packages=["greeter"],
      ext_modules=[Extension("greeter._greet", ["greeter/_greet.c"])])
"""


def test_jobs_of_a_killed_head_live_on_and_the_next_run_waits_for_them(
    cluster: Cluster, project: Project
) -> None:
    marker, go = cluster.folder / "built", cluster.folder / "go"
    setup = (project.upstreams / "greeter/setup.py").read_text()
    held = HELD_SETUP.format(marker=str(marker), go=str(go))
    project.add_patch("greeter", "0001-wait", "setup.py", setup, held)
    log = project.folder / "first.log"
    with log.open("w") as file:
        head = subprocess.Popen(
            cluster.command("wheels_cpu"), cwd=project.folder, stdout=file, stderr=file
        )
    wait_for(marker.exists, lambda: log.read_text() + cluster.said)
    os.kill(head.pid, signal.SIGKILL)
    head.wait()

    again = subprocess.Popen(
        cluster.command("wheels_cpu"),
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_for(lambda: "waiting for another build" in cluster.said, lambda: cluster.said)
    go.touch()
    said, _ = again.communicate(timeout=300)
    assert again.returncode == 0, said + cluster.said
    assert marker.read_text() == "built\n"
    assert "found in the store" in cluster.said
    logs = sorted(project.folder.glob("results/logs/wheel/any/greeter/*.log"))
    assert len(logs) == 2
    first, second = (path.read_text() for path in logs)
    assert "uv build" in first and "waiting" not in first
    assert "waiting" in second and "uv build" not in second


def wait_for(condition, said) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline, said()
        time.sleep(0.1)
