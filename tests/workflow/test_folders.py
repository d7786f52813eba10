"""Where a clone may lie, and where its scratch files: it works there, or one line says so first."""

import copy
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.project import PROJECT
from tests.small_project import GREETER, Project, git

GREET = "import sys, greeter; print(greeter.greet(), sys._is_gil_enabled())"
ODD = """it's a "quoted" $HOME ${KEY} {key} [ab]* ?!# ;&|<(é日本)> %s%20\\n `date`"""


def at(folder: Path, python: Path, upstreams: Path) -> Project:
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Project(folder, python, copied=True)
    made.upstreams = upstreams
    made.add_repo("greeter", "setuptools", GREETER)
    return made


@pytest.mark.parametrize("name", [ODD, "/".join(["long" * 50] * 3)], ids=["odd", "long"])
def test_a_clone_works_in_any_folder_whose_path_is_a_line(tmp_path, python, name):
    folder = tmp_path / "clones" / name
    # the interpreter lies in the clone, as it does by default
    project = at(folder, python, tmp_path / "upstream")
    own = shutil.copytree(python.parents[1], folder / "python", symlinks=True)
    project.config["interpreter"]["path"] = str(own / "bin" / python.name)
    result = project.run("wheelhouse", "env_cpu")
    assert result.code == 0, result.text
    # the line that activates the environment is for every shell, and for Dockerfiles
    (line,) = re.findall(r"^SCRIPT_PATH=.*$", result.text, re.MULTILINE)
    for shell in ("sh", "bash"):
        entered = subprocess.run(
            [shell, "-ec", f'{line}\ncommand -v python; python -c "$0"; deactivate', GREET],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        )
        where, said = entered.stdout.splitlines()
        assert where == str((folder / "results/envs/run-cpu").resolve() / "bin/python")
        assert said == "hello False" and not entered.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a\nb", r"has '\n', which does not fit into a line of UTF-8: rename that folder"),
        ("a\tb", r"has '\t', which does not fit into a line of UTF-8: rename that folder"),
        ("a\udcffb", r"has '\udcff', which does not fit into a line of UTF-8: rename that folder"),
        ("a:b", "has ':', which ends a folder's path in PATH: rename that folder"),
        ("/".join(["long" * 50] * 18), "bytes leaves no room for the files in it"),
    ],
    ids=["newline", "tab", "bytes", "colon", "long"],
)
def test_a_clone_that_cannot_work_where_it_lies_says_so_in_one_line(tmp_path, python, name, said):
    folder = tmp_path / "clones" / name
    result = at(folder, python, tmp_path / "upstream").run("wheels_cpu")
    assert result.code == 1
    (line,) = (line for line in result.text.splitlines() if line.startswith("the clone's folder: "))
    assert said in line
    assert "Traceback" not in result.text
    assert not (folder / "results").exists()


def test_flags_with_a_folder_s_real_path_are_refused_before_a_build(tmp_path, python):
    project = at(tmp_path / "clones" / "two words", python, tmp_path / "upstream")
    refusing = tmp_path / "bin" / "unshare"
    refusing.parent.mkdir()
    refusing.write_text("#!/bin/sh\nexit 1\n")
    refusing.chmod(0o755)
    result = project.run("wheels_cpu", PATH=f"{refusing.parent}:/usr/local/bin:/usr/bin:/bin")
    assert result.code == 1
    assert "two words/results' has ' ', which takes compilers' flags apart" in result.text
    assert not (project.folder / "results/sources").exists()


def _mounted_noexec(folder: Path, *command: str) -> list[str]:
    script = 'mount -t tmpfs -o noexec scratch "$0" && exec "$@"'
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    return [*unshare, "sh", "-c", script, str(folder), *command]


@pytest.mark.parametrize("kind", ["noexec", "missing"])
def test_code_is_loaded_whatever_tmpdir_is(project, tmp_path, kind):
    scratch = tmp_path / "scratch"
    command = project.command("wheels_cpu")
    if kind == "noexec":
        scratch.mkdir()
        if subprocess.run(_mounted_noexec(scratch, "true")).returncode != 0:
            pytest.skip("this kernel permits no mount namespaces")
        command = _mounted_noexec(scratch, *command)
    done = subprocess.run(
        command,
        cwd=project.folder,
        env=os.environ | {"TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_a_clone_that_git_gives_other_line_ends_plans_and_patches_the_same(tmp_path, python):
    project = at(tmp_path / "project", python, tmp_path / "upstream")
    project.add_patch("greeter", "0001-say-hi", "greeter/_greet.c", '"hello"', '"hi"')
    shutil.copy(PROJECT / ".gitattributes", project.folder)
    project.command()  # writes its config.yaml
    git(project.folder, "init", "--quiet")
    git(project.folder, "add", "--all")
    git(project.folder, "commit", "--quiet", "-m", "Begin")
    clone = copy.copy(project)
    clone.folder = tmp_path / "clone"
    settings = ["-c", "core.autocrlf=true", "-c", "core.eol=crlf"]
    git(tmp_path, *settings, "clone", "--quiet", str(project.folder), str(clone.folder))
    plans = [p.run("-n", "env_cpu").text for p in (project, clone)]
    planned = [{*re.findall(r"results/[\w./-]+", text)} for text in plans]
    assert planned[0] == planned[1] != set()
    assert clone.run("sources").code == 0


def test_null_on_the_command_line_reaches_every_job(project):
    result = project.run("sources", "--config", "store=null", "work=", "interpreter={git: null}")
    assert result.code == 0, result.text
    assert not (project.folder / "null").exists()
    assert list((project.folder / "results/sources/greeter").iterdir())
