"""CPython built with ThreadSanitizer from its real git repository, and a race that it finds.

The repository is named in CPYTHON_REPOSITORY, the tag or commit in CPYTHON_REF: it is of no use to
fetch several gigabytes of history for a test.
"""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from snakedev.config.read import check
from snakedev.store.layout import Layout
from tests.small_project import GREETER, Project, git

REPOSITORY = os.environ.get("CPYTHON_REPOSITORY")
REF = os.environ.get("CPYTHON_REF")
# the address that a configuration would name; git is told to take the repository for it
ADDRESS = "https://cpython.test/cpython.git"
RACING = """#include <Python.h>
static long greeted;
static PyObject *greet(PyObject *self, PyObject *args) {
    greeted++;
    return PyLong_FromLong(greeted);
}
"""
LINE = 4
THREADS = """
from threading import Barrier, Thread
from greeter import greet
start = Barrier(4)
def work():
    start.wait()
    for _ in range(20_000):
        greet()
threads = [Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not (REPOSITORY and REF),
        reason="CPYTHON_REPOSITORY and CPYTHON_REF name no repository of CPython to build from",
    ),
]


@dataclass
class Sanitized:
    """A project whose interpreter is built with ThreadSanitizer."""

    project: Project
    version: str

    @property
    def layout(self) -> Layout:
        """Where things lie in the project's folder."""
        return Layout.of(check(self.project.config))

    def run(self, *arguments: str):
        """Run Snakemake, with the repository in place of the address."""
        return self.project.run(
            *arguments,
            GIT_CONFIG_COUNT="1",
            GIT_CONFIG_KEY_0=f"url.{REPOSITORY}.insteadOf",
            GIT_CONFIG_VALUE_0=ADDRESS,
        )

    def greet(self, **variables: str) -> subprocess.CompletedProcess:
        """Several threads in the extension, in the environment that `env_cpu` activates."""
        said = self.run("env_cpu").text
        (line,) = (line for line in said.splitlines() if line.startswith("SCRIPT_PATH="))
        assigned = "".join(f"{name}='{value}' " for name, value in variables.items())
        return subprocess.run(
            ["bash", "-c", f'{line}; {assigned} python -c "$0"', THREADS],
            capture_output=True,
            text=True,
        )


def _version(folder: Path) -> str:
    """The Python version of the repository at the ref, as `3.14`."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare")
    git(folder, "fetch", "--quiet", "--depth=1", REPOSITORY, REF)
    text = git(folder, "show", "FETCH_HEAD:Include/patchlevel.h")
    found = re.search(r'^#define PY_VERSION\s+"(\d+\.\d+)', text, re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory) -> Sanitized:
    """The project, with the interpreter built and a racing extension in its environment."""
    folder = tmp_path_factory.mktemp("sanitizer")
    project = Project(folder / "project", Path())
    racing = re.sub(r"(?s)^.*?\n}\n", RACING, GREETER["greeter/_greet.c"], count=1)
    project.add_repo("greeter", "setuptools", GREETER | {"greeter/_greet.c": racing})
    # what every version of Python can have
    project.write_lock("build-any", ["setuptools", "wheel", "packaging"])
    made = Sanitized(project, _version(folder / "look.git"))
    project.config["interpreter"] = {
        "version": made.version,
        "sanitizer": "thread",
        "git": {"url": ADDRESS, "ref": REF},
    }
    result = made.run("wheels_cpu", "env_cpu")
    print(result.text)
    assert result.code == 0, result.text
    return made


def test_the_interpreter_reports_races(sanitized):
    folder = sanitized.project.folder
    record = json.loads((folder / sanitized.layout.interpreter / "interpreter.json").read_bytes())
    assert (record["provider"], record["sanitizer"], record["ref"]) == ("source", "thread", REF)
    assert re.fullmatch("[0-9a-f]{40}", record["commit"])
    assert re.fullmatch(r"a data race is reported, at race\.c:\d+", record["checks"]["sanitizer"])
    assert (folder / sanitized.layout.interpreter / "share/tsan/suppressions.txt").is_file()


def test_a_wheel_is_built_with_it_and_says_so(sanitized):
    (path,) = (sanitized.project.folder / "results/wheels/any/greeter").glob("*/wheel.json")
    wheel = json.loads(path.read_bytes())
    assert wheel["interpreter"]["sanitizer"] == "thread"
    assert wheel["instrumented"] == {"greeter._greet": True}


def test_a_race_in_an_extension_is_reported_with_file_and_line(sanitized):
    done = sanitized.greet()
    assert done.returncode == 66, done.stderr
    assert "WARNING: ThreadSanitizer: data race" in done.stderr
    assert f"greeter/_greet.c:{LINE}" in done.stderr


def test_options_of_the_user_count(sanitized, tmp_path):
    options = f"log_path={tmp_path}/races exitcode=0"
    done = sanitized.greet(TSAN_OPTIONS=options)
    assert done.returncode == 0, done.stderr
    assert any(f"_greet.c:{LINE}" in log.read_text() for log in tmp_path.glob("races.*"))


def test_a_second_run_has_nothing_to_do(sanitized):
    result = sanitized.run("wheels_cpu")
    assert "Nothing to be done" in result.text, result.text
