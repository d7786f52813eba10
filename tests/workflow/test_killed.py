"""A run that was killed is simply started again."""

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

    with (project.folder / "first.log").open("w") as log:
        run = subprocess.Popen(
            project.command("wheels_cpu"), cwd=project.folder, stdout=log, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + 240
        while not marker.exists() and time.monotonic() < deadline and run.poll() is None:
            time.sleep(0.1)
        assert marker.exists(), (project.folder / "first.log").read_text()
        os.kill(run.pid, signal.SIGKILL)
        run.wait()

    again = project.run("wheels_cpu")
    assert again.code == 0, again.text
    assert "wheel" in again.jobs
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
