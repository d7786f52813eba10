"""A small project: the real Snakefile and scripts, on small git repositories made for the test."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from scripts.locks import inputs_digest

PROJECT = Path(__file__).parents[2]
_LINKED = ("Snakefile", "rules", "scripts", "profiles")

SETUP = """
from setuptools import Extension, setup
setup(name="greeter", version="1.0", packages=["greeter"],
      ext_modules=[Extension("greeter._greet", ["greeter/_greet.c"])])
"""
EXTENSION = """
#include <Python.h>
static PyObject *greet(PyObject *self, PyObject *args) {
    return PyUnicode_FromString("hello");
}
static PyMethodDef methods[] = {{"greet", greet, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_greet", .m_methods = methods, .m_slots = slots};
PyMODINIT_FUNC PyInit__greet(void) { return PyModuleDef_Init(&definition); }
"""


def git(folder: Path, *arguments: str) -> str:
    """Run git in a test's repository, with an identity and none of the user's settings."""
    return subprocess.run(
        ["git", "-c", "user.name=A. Tester", "-c", "user.email=tester@example.org", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"},
    ).stdout.strip()


def upstream(folder: Path, files: dict[str, str]) -> str:
    """Make a git repository with one commit; returns the commit."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "Begin")
    # as forges allow it, so that a commit can be fetched by its id
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    return git(folder, "rev-parse", "HEAD")


@dataclass
class Result:
    """A finished Snakemake run."""

    code: int
    text: str

    @property
    def jobs(self) -> list[str]:
        """The rules of the jobs that ran, sorted."""
        finished = r"^Finished jobid: \d+ \(Rule: ([\w-]+)\)"
        return sorted(re.findall(finished, self.text, re.MULTILINE))


class Project:
    """A working folder with its own config, patches and locks."""

    def __init__(self, folder: Path, python: Path):
        self.folder, self.python = folder, python
        self.upstreams = folder.parent / "upstream"
        folder.mkdir()
        for name in _LINKED:
            (folder / name).symlink_to(PROJECT / name)
        (folder / "envs").mkdir()
        for name in ("build-any.in", "build-any.lock", "exclusions.yaml"):
            shutil.copy(PROJECT / "envs" / name, folder / "envs" / name)
        run = folder / "envs" / "run-cpu.in"
        run.write_text("# nothing but the wheels built here\n", encoding="utf-8")
        inputs = inputs_digest(folder / "envs", "run-cpu", None)
        head = f"# Compiled for a test.\n# inputs: {inputs}\n"
        run.with_suffix(".lock").write_text(head, encoding="utf-8")
        self.config = {
            "origin": "git",
            "interpreter": {"provider": "system", "path": str(python)},
            "variants": {"cpu": {}},
            "repos": {},
            "models": {},
            "smoke": {"variants": [], "models": [], "prompts": [{"text": "Hello"}]},
        }

    def add_repo(self, name: str, recipe: str, files: dict[str, str], **more: object) -> None:
        """Make an upstream repository and configure it."""
        folder = self.upstreams / name
        commit = upstream(folder, files)
        pin = {"url": str(folder), "commit": commit}
        self.config["repos"][name] = {"recipe": recipe, "version": "1.0", "git": pin, **more}

    def add_patch(self, repo: str, name: str, file: str, old: str, new: str) -> Path:
        """Write a patch that replaces text in a file of the upstream repository."""
        work = self.upstreams / repo
        path = work / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        git(work, "commit", "--quiet", "--all", "-m", name.replace("-", " ").capitalize())
        patch = (
            git(work, "format-patch", "-1", "--stdout", "--zero-commit", "--no-signature") + "\n"
        )
        git(work, "reset", "--quiet", "--hard", "HEAD~1")
        target = self.folder / "patches" / repo / f"{name}.patch"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(patch, encoding="utf-8")
        return target

    def command(self, *arguments: str) -> list[str]:
        """The command line of a run, with the present configuration written down."""
        text = yaml.safe_dump(self.config)
        (self.folder / "config.yaml").write_text(text, encoding="utf-8")
        return [str(Path(sys.executable).with_name("snakemake")), "--cores", "2", *arguments]

    def run(self, *arguments: str) -> Result:
        """Run Snakemake in the project as a user would."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Result(done.returncode, done.stdout)

    def ask(self, code: str) -> str:
        """What Python code prints in the run environment, PYTHON_GIL not set."""
        done = subprocess.run(
            [self.folder / "results/envs/run-cpu/bin/python", "-c", code],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()


@pytest.fixture(scope="session")
def python() -> Path:
    """The free-threaded interpreter, provided by the project itself where it is not there yet."""
    program = PROJECT / "results" / "interpreter" / "bin" / "python3.14t"
    if not program.exists():
        snakemake = Path(sys.executable).with_name("snakemake")
        subprocess.run([snakemake, "--cores", "1", "interpreter"], cwd=PROJECT, check=True)
    return program


@pytest.fixture
def project(tmp_path: Path, python: Path) -> Project:
    """A project with one repo that has a C extension."""
    made = Project(tmp_path / "project", python)
    made.add_repo(
        "greeter",
        "setuptools",
        {
            "setup.py": SETUP,
            "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\n'
            'build-backend = "setuptools.build_meta"\n',
            "greeter/__init__.py": "from greeter._greet import greet\n",
            "greeter/_greet.c": EXTENSION,
        },
    )
    return made
