"""A store that machines reach by the network: what one has made and put there, another takes.

The projects have nothing in common but the bucket and their upstream repositories.
"""

import copy
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import s3
from tests.small_project import GREETER, Project

SHOWN = {"wheelhouse_view cpu", "wheelhouse"}
MADE = {"interpreter", "mirror greeter", "source greeter", "environment build-any"}
MADE |= {"wheel greeter"} | SHOWN


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3.serving() as address:
        yield address


def begin(folder: Path, python: Path) -> Project:
    folder.mkdir()
    project = Project(folder / "project", python)
    project.write_lock("build-any", ["setuptools"])
    return project


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, python: Path, server: str) -> Project:
    """A project that has built its wheel and put it into the bucket."""
    made = begin(tmp_path_factory.mktemp("remote") / "first", python)
    made.add_repo("greeter", "setuptools", GREETER)
    made.config |= {"store_remote": s3.URL, "store_remote_write": True}
    said = made.run("wheelhouse", **s3.credentials(server)).text
    assert f"put into {s3.URL}" in said
    return made


@pytest.fixture
def second(first: Project, tmp_path: Path) -> Project:
    """A project on another machine: the same configuration, and nothing built."""
    made = begin(tmp_path / "second", first.python)
    made.config = copy.deepcopy(first.config) | {"store_remote_write": False}
    return made


def wheel(project: Project) -> bytes:
    (file,) = project.folder.glob("results/wheels/any/greeter/*/*.whl")
    return file.read_bytes()


def test_what_one_has_put_another_takes_and_builds_nothing(
    first: Project, second: Project, server: str
) -> None:
    reach = s3.credentials(server)
    there = s3.objects(s3.bucket(server))
    looked = second.run("-n", "wheelhouse", **reach)
    assert looked.named_jobs == MADE
    assert "taken from" not in looked.text
    assert not (second.folder / "results/wheels").exists()
    took = second.run("wheelhouse", **reach)
    assert took.named_jobs == SHOWN
    assert f"taken from {s3.URL}" in took.text
    assert wheel(second) == wheel(first)
    assert second.run("wheelhouse", **reach).named_jobs == set()
    assert "put into" not in first.run("wheelhouse", **reach).text
    assert s3.objects(s3.bucket(server)) == there
    for file in (f for project in (first, second) for f in project.folder.rglob("*")):
        if file.is_file() and not file.is_symlink():
            assert s3.SECRET.encode() not in file.read_bytes(), file


def test_a_store_that_does_not_answer_is_a_warning_and_a_build(second: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        host, port = closed.getsockname()
    second.config["store_remote_write"] = True
    made = second.run("wheelhouse", **s3.credentials(f"http://{host}:{port}"))
    assert made.named_jobs == MADE
    assert made.text.count(f"warning: store_remote {s3.URL}: ") == 1
    assert "this run does without it" in made.text
