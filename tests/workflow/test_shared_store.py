"""One store for several workflows: what one has built, all find, and none removes it from others.

The projects have folders of their own and the store in common, as people with one network disk.
"""

import copy
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.small_project import GREETER, SETUP, Project, Result, git

# Each build waits until the other one has begun, too. Both see their folders at the same paths.
MEETING = """
import hashlib, os, time
meeting, until = MEETING, time.monotonic() + 120
mine = hashlib.sha256(os.environ["SNAKEDEV_BUILD_FOLDER"].encode()).hexdigest()
open(os.path.join(meeting, mine), "w").close()
while len(os.listdir(meeting)) < 2 and time.monotonic() < until:
    time.sleep(0.1)
"""


def begin(folder: Path, python: Path, config: dict[str, object]) -> Project:
    """A project in a folder of its own, with a configuration and the patches that go with it."""
    folder.mkdir()
    project = Project(folder / "project", python)
    project.write_lock("build-any", ["setuptools"])
    project.config |= copy.deepcopy(config)
    return project


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory, python: Path) -> Iterator[list[Project]]:
    """Two projects that have built the same at the same time, into one store."""
    folder = tmp_path_factory.mktemp("store")
    meeting = folder / "meeting"
    meeting.mkdir()
    setup = MEETING.replace("MEETING", repr(str(meeting)), 1) + SETUP
    first = begin(folder / "first", python, {"store": "../../store"})
    first.add_repo("greeter", "setuptools", GREETER | {"setup.py": setup})
    made = [
        first,
        begin(folder / "second", python, {**first.config, "store": str(folder / "store")}),
    ]
    runs = [
        subprocess.Popen(
            project.command("wheels_cpu"),
            cwd=project.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for project in made
    ]
    for run in runs:
        said, _ = run.communicate(timeout=300)
        assert run.returncode == 0, said
    assert len(list(meeting.iterdir())) == 2
    yield made


def store_of(project: Project) -> Path:
    return (project.folder / project.config["store"]).resolve()


def wheels(project: Project) -> set[Path]:
    return set(store_of(project).glob("wheels/any/greeter/*"))


def test_two_that_build_the_same_at_once_make_one_artifact(projects: list[Project]) -> None:
    (folder,) = wheels(projects[0])
    (wheel,) = folder.glob("*.whl")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    for project in projects:
        (stamp,) = project.folder.glob("results/stamps/wheel/any/greeter/*.json")
        assert stamp.read_bytes() == (folder / "wheel.json").read_bytes()
        assert json.loads(stamp.read_bytes())["sha256"] == sha256
        assert not (project.folder / "results/wheels").exists()
    scratch = [p for p in store_of(projects[0]).rglob(".scratch-*") if "tree" not in p.parts]
    assert scratch == []


def test_a_third_one_finds_all_of_it_and_compiles_nothing(
    projects: list[Project], tmp_path: Path, python: Path
) -> None:
    config = {**projects[0].config, "store": str(store_of(projects[0]))}
    third = begin(tmp_path / "third", python, config)
    assert third.run("sources", "wheels_cpu").named_jobs == set()
    shown = third.run("wheelhouse", "env_cpu")
    assert shown.named_jobs == {
        "interpreter",
        "environment run-cpu",
        "env_cpu",
        "wheelhouse_view cpu",
        "wheelhouse",
    }
    assert third.ask("import greeter; print(greeter.greet())") == "hello"
    assert not (third.folder / "results/build").exists()
    # a change of its own needs what the store does not hold: a build environment and the commit
    third.upstreams = projects[0].upstreams
    third.add_patch("greeter", "0001-say-hi", "greeter/_greet.c", '"hello"', '"hi"')
    assert third.run("-n", "wheels_cpu").named_jobs == {
        "mirror greeter",
        "source greeter",
        "environment build-any",
        "wheel greeter",
        "wheels_cpu",
    }
    # so that it keeps nothing from being pruned
    shutil.rmtree(third.folder)


def test_pruning_keeps_what_the_other_reaches(projects: list[Project]) -> None:
    first, second = projects
    before = wheels(first)

    def say_hi(project: Project) -> None:
        project.upstreams = first.upstreams
        project.add_patch("greeter", "0001-say-hi", "greeter/_greet.c", '"hello"', '"hi"')

    say_hi(first)
    assert first.run("wheels_cpu").code == 0
    pruned = first.run("prune_now")
    assert pruned.code == 0, pruned.text
    assert "kept for" in pruned.text and str(second.folder) in pruned.text
    assert before < wheels(first)

    # a dry run of the other changes nothing; a run does
    say_hi(second)
    assert second.run("-n", "wheels_cpu").named_jobs == set()
    first.run("prune_now")
    assert before < wheels(first)
    assert second.run("wheels_cpu").named_jobs == set()
    first.run("prune_now")
    assert not before & wheels(first)
    assert len(wheels(first)) == 1


def test_an_earlier_commit_in_a_worktree_is_there_and_stays(
    project: Project, tmp_path: Path
) -> None:
    project.config["store"] = str(tmp_path / "store")
    project.write_lock("build-any", ["setuptools"])
    (project.folder / ".gitignore").write_text("/results/\n/.snakemake/\n")
    git(project.folder, "init", "--quiet")

    def build() -> None:
        assert project.run("wheels_cpu").code == 0
        git(project.folder, "add", "--all")
        git(project.folder, "commit", "--quiet", "-m", "State")

    build()
    before = wheels(project)
    project.add_patch("greeter", "0001-say-hi", "greeter/_greet.c", '"hello"', '"hi"')
    build()
    git(project.folder, "worktree", "add", "--quiet", tmp_path / "earlier", "HEAD~1")

    def earlier(*arguments: str) -> Result:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        done = subprocess.run(command, cwd=tmp_path / "earlier", capture_output=True, text=True)
        return Result(done.returncode, done.stdout + done.stderr)

    assert earlier("wheels_cpu").named_jobs == set()
    for prune in (project.run, earlier):
        pruned = prune("prune_now")
        assert pruned.code == 0 and "kept for" in pruned.text, pruned.text
        assert before < wheels(project) and len(wheels(project)) == 2
    # and goes with the worktree
    git(project.folder, "worktree", "remove", "--force", tmp_path / "earlier")
    assert project.run("prune_now").code == 0
    assert not before & wheels(project) and len(wheels(project)) == 1


def test_a_store_that_cannot_be_used_is_one_line_before_anything_is_built(
    project: Project, tmp_path: Path
) -> None:
    for store, said in (
        (
            tmp_path / "disk" / "store",
            f"store: there is no folder {tmp_path}/disk to have store in",
        ),
        ("/proc/bus", "store: cannot write into /proc/bus ("),
        (project.folder / "Snakefile", f"store: {project.folder}/Snakefile is a file"),
    ):
        project.config["store"] = str(store)
        result = project.run("wheels_cpu")
        assert result.code != 0
        assert said in result.text
        assert "Traceback" not in result.text
        assert "Finished jobid" not in result.text
