"""A small project: the real Snakefile and scripts, on small git repositories made on the spot.

The workflow tests and `make chaos` run it.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from snakedev.config.source_facts import SourceIdentity, facts_file
from snakedev.environments.locks import inputs_digest
from snakedev.recipes.registry import RECIPES
from snakedev.sources.source_facts import read_source
from tests import forked
from tests.project import PROJECT

_LINKED = ("Snakefile", "rules", "scripts", "snakedev", "profiles")

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
PYPROJECT = """[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
"""
GREETER = {
    "setup.py": SETUP,
    "pyproject.toml": PYPROJECT,
    "greeter/__init__.py": "from greeter._greet import greet\n",
    "greeter/_greet.c": EXTENSION,
}
# What of a job's wildcards says which one it is, in a word.
_TELLING = ("repo", "name", "model", "variant")


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

    @property
    def named_jobs(self) -> set[str]:
        """The jobs that ran, or that a dry run plans: each rule, with what it was run for.

        As `wheel greeter` or `smoke_page`. Fails where Snakemake itself counts other jobs.
        """
        assert self.code == 0, self.text
        if "Nothing to be done" in self.text:
            return set()
        rule = re.compile(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", re.MULTILINE)
        named = {}
        for name, block in rule.findall(self.text):
            fields = dict(re.findall(r"^    (\w+): (.*)$", block, re.MULTILINE))
            wildcards = dict(
                pair.split("=", 1) for pair in fields.get("wildcards", "").split(", ") if pair
            )
            telling = next((wildcards[key] for key in _TELLING if key in wildcards), "")
            named[fields["jobid"]] = f"{name} {telling}".strip()
        (total,) = set(re.findall(r"^total +(\d+)$", self.text, re.MULTILINE))
        assert len(named) == int(total), self.text
        if "This was a dry-run" not in self.text:
            finished = re.findall(r"^Finished jobid: (\d+) ", self.text, re.MULTILINE)
            assert sorted(finished) == sorted(named), self.text
        jobs = set(named.values())
        assert len(jobs) == len(named), f"two jobs have one name: {named}"
        return jobs


class Project:
    """A working folder with its own config, patches and locks."""

    def __init__(self, folder: Path, python: Path, *, copied: bool = False):
        """Begin a project; ``copied`` gives it scripts and rules of its own, to be edited."""
        self.folder, self.python = folder, python
        self.upstreams = folder.parent / "upstream"
        folder.mkdir()
        for name in _LINKED:
            if not copied:
                (folder / name).symlink_to(PROJECT / name)
            elif (PROJECT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(PROJECT / name, folder / name, ignore=ignored)
            else:
                shutil.copy(PROJECT / name, folder / name)
        (folder / "envs").mkdir()
        for name in ("build-any.in", "build-any.lock", "exclusions.yaml", "tracked.yaml"):
            shutil.copy(PROJECT / "envs" / name, folder / "envs" / name)
        self.write_lock("run-cpu", [])  # nothing but the wheels built here
        self.config = {
            "origin": "git",
            "interpreter": {"provider": "system", "path": str(python)},
            "variants": {"cpu": {}},
            "repos": {},
            "models": {},
            "smoke": {"variants": [], "models": [], "prompts": [{"text": "Hello"}]},
        }

    def add_repo(self, name: str, recipe: str, files: dict[str, str], **more: object) -> None:
        """Make an upstream repository and configure it; what is to be known of its source beside
        the locks is written there."""
        folder = self.upstreams / name
        commit = upstream(folder, files)
        pin = {"url": str(folder), "commit": commit}
        self.config["repos"][name] = {"recipe": recipe, "version": "1.0", "git": pin, **more}
        if name == "vllm" or RECIPES[recipe].facts:
            facts = read_source(folder, SourceIdentity(repo=name, version="1.0", commit=commit))
            facts.write(facts_file(self.folder / "envs", name))

    def write_lock(
        self, name: str, packages: list[str], like: str = "build-any", index: str | None = None
    ) -> None:
        """Write a lock and its `.in` file, with packages of the project's own locks ``like``, for
        torch from an ``index`` of its own."""
        files = [PROJECT / "envs" / f"{lock}.lock" for lock in like.split()]
        text = "".join(file.read_text(encoding="utf-8") for file in files)
        blocks = dict(re.findall(r"^(([a-z0-9-]+)==.*\n(?:    .*\n)*)", text, re.MULTILINE))
        pins = {package: block for block, package in blocks.items()}
        folder = self.folder / "envs"
        (folder / f"{name}.in").write_text("".join(f"{p}\n" for p in packages), encoding="utf-8")
        inputs = inputs_digest(folder, name, index)
        head = f"# Compiled for a test.\n# inputs: {inputs}\n"
        body = "".join(pins[package] for package in packages)
        (folder / f"{name}.lock").write_text(head + body, encoding="utf-8")

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

    def run(self, *arguments: str, **variables: str) -> Result:
        """Run Snakemake in the project as a user would, with ``variables`` set."""
        command = self.command(*arguments)
        return Result(*forked.run(command, self.folder, os.environ | variables))

    def ask(self, code: str) -> str:
        """What Python code prints in the run environment, PYTHON_GIL not set."""
        done = subprocess.run(
            [self.folder / "results/envs/run-cpu/bin/python", "-c", code],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()
