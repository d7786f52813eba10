"""A run that was killed is simply started again."""

import base64
import os
import signal
import subprocess
import time

# A compilation that can be caught in the middle: its first attempt sleeps.
SLOW_SETUP = """
import os, time
from setuptools import Extension, setup
marker = os.environ["CAUGHT"]
if not os.path.exists(marker):
    open(marker, "w").close()
    time.sleep(600)
setup(name="greeter", version="1.0", packages=["greeter"],
      ext_modules=[Extension("greeter._greet", ["greeter/_greet.c"])])
"""


# In place of ssh: the first connection hangs, every other one is served by the local git.
SLOW_SSH = """#!/bin/sh
if [ ! -e {marker} ]; then touch {marker}; sleep 600; fi
for command; do :; done
exec sh -c "$command"
"""


def kill_when(marker, project):
    """Start a run, and kill it with signal 9 as soon as a file appears."""
    log = project.folder / "first.log"
    with log.open("w") as file:
        run = subprocess.Popen(
            project.command("wheels_cpu"), cwd=project.folder, stdout=file, stderr=file
        )
    deadline = time.monotonic() + 240
    while not marker.exists() and time.monotonic() < deadline and run.poll() is None:
        time.sleep(0.1)
    caught = marker.exists()
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert caught, log.read_text()


def test_kill_9_in_the_middle_of_a_wheel_build(project):
    marker = project.folder / "caught"
    slow = SLOW_SETUP.replace('os.environ["CAUGHT"]', repr(str(marker)))
    (project.upstreams / "greeter/setup.py").write_text(slow)
    files = {
        path: (project.upstreams / "greeter" / path).read_text()
        for path in ("setup.py", "pyproject.toml", "greeter/__init__.py", "greeter/_greet.c")
    }
    project.add_repo("slow", "setuptools", files)
    project.config["repos"]["greeter"] = project.config["repos"].pop("slow")

    kill_when(marker, project)
    again = project.run("wheels_cpu")
    assert again.code == 0, again.text
    assert "wheel" in again.jobs
    assert list((project.folder / "results").glob("wheels/any/greeter/*/*.whl"))


def test_kill_9_in_the_middle_of_a_fetch(project, tmp_path, monkeypatch):
    marker, ssh = tmp_path / "caught", tmp_path / "ssh"
    ssh.write_text(SLOW_SSH.format(marker=marker))
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")
    pin = project.config["repos"]["greeter"]["git"]
    pin["url"] = f"ssh://example.org{pin['url']}"
    kill_when(marker, project)

    again = project.run("wheels_cpu")
    assert again.code == 0, again.text
    assert {"mirror", "source", "wheel", "wheels_cpu"} <= set(again.jobs)
    assert list((project.folder / "results").glob("wheels/any/greeter/*/*.whl"))


def test_kill_9_between_a_job_s_stamp_and_its_end(project):
    assert project.run("sources").code == 0
    # what Snakemake keeps of a job that began and did not end
    stamps = (project.folder / "results/stamps/mirror").rglob("*.json")
    for stamp in stamps:
        name = base64.urlsafe_b64encode(str(stamp.relative_to(project.folder)).encode()).decode()
        marker = project.folder / ".snakemake/incomplete" / name
        marker.parent.mkdir(exist_ok=True)
        marker.touch()

    again = project.run("wheels_cpu")
    assert again.code == 0, again.text
    assert again.jobs == ["environment", "interpreter", "wheel", "wheels_cpu"]
    assert list((project.folder / "results").glob("wheels/any/greeter/*/*.whl"))


def test_two_runs_in_one_folder_are_kept_apart(project):
    marker = project.folder / "caught"
    slow = SLOW_SETUP.replace('os.environ["CAUGHT"]', repr(str(marker)))
    project.add_patch(
        "greeter",
        "0001-wait",
        "setup.py",
        (project.upstreams / "greeter/setup.py").read_text(),
        slow,
    )
    first = subprocess.Popen(
        project.command("wheels_cpu"),
        cwd=project.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 240
        while not marker.exists() and time.monotonic() < deadline and first.poll() is None:
            time.sleep(0.1)
        assert marker.exists()
        second = project.run("sources", "--forceall")
        assert second.code != 0
        assert f"another run (process {first.pid}) is at work" in second.text
    finally:
        first.kill()
        first.wait()
