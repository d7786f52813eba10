"""Pruning: what it finds, what it asks, and what it leaves."""

import os
import pty
from pathlib import Path

import pytest

from scripts.job import job
from scripts.layout import Layout
from scripts.prune import asked_on_the_terminal, prune, unreached

OLD, PRESENT = "0" * 16, "1" * 16


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A results folder with a present and an old artifact of three kinds, and things to keep."""
    layout = Layout(tmp_path / "results")
    for key in (OLD, PRESENT):
        for folder in (
            layout.wheel("cpu", "vllm", key),
            layout.environment("run-cpu", key),
            layout.build("cpu", "vllm") / key,
        ):
            folder.mkdir(parents=True)
            (folder / "file").write_bytes(b"x" * 1000)
    for kept in ("git/vllm.git", f"downloads/{'0' * 64}", "cache/ccache", "logs/wheel"):
        (layout.root / kept).mkdir(parents=True)
    layout.environment_view("run-cpu").symlink_to(f"run-cpu-{PRESENT}")
    return layout


@pytest.fixture
def reached(layout: Layout) -> list[Path]:
    return [
        layout.wheel("cpu", "vllm", PRESENT),
        layout.environment("run-cpu", PRESENT),
        layout.build("cpu", "vllm") / PRESENT,
    ]


def test_only_keyed_folders_that_nothing_asks_for_are_found(layout, reached):
    assert {one.folder for one in unreached(layout, reached)} == {
        layout.wheel("cpu", "vllm", OLD),
        layout.environment("run-cpu", OLD),
        layout.build("cpu", "vllm") / OLD,
    }


def test_files_that_have_another_name_free_nothing(layout, reached, tmp_path):
    wheel = layout.wheel("cpu", "vllm", OLD)
    os.link(wheel / "file", tmp_path / "elsewhere")
    sizes = {one.folder: one.size for one in unreached(layout, reached)}
    assert sizes[wheel] == 0
    assert sizes[layout.environment("run-cpu", OLD)] == 1000


@pytest.mark.parametrize("answer", [True, False])
def test_nothing_goes_without_a_yes(layout, reached, tmp_path, answer):
    found = unreached(layout, reached)
    questions = []

    def confirm(question: str) -> bool:
        questions.append(question)
        return answer

    with job("prune", tmp_path / "log") as running:
        assert prune(found, confirm, running) == (3000 if answer else 0)
    assert questions == ["remove these 3 folders and free 0.0 MB?"]
    assert all(one.folder.exists() is not answer for one in found)
    assert all(folder.exists() for folder in reached)
    assert all(str(one.folder) in (tmp_path / "log").read_text() for one in found)


@pytest.mark.parametrize(("typed", "yes"), [("y\n", True), ("yes\n", True), ("\n", False)])
def test_the_question_is_put_on_the_terminal(typed, yes):
    child, terminal = pty.fork()
    if child == 0:
        os._exit(0 if asked_on_the_terminal("sure?") else 1)
    shown = os.read(terminal, 100).decode()
    os.write(terminal, typed.encode())
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert shown == "sure? [y/N] "
    assert (os.waitstatus_to_exitcode(status) == 0) is yes


def test_without_a_terminal_the_answer_is_no():
    child = os.fork()
    if child == 0:
        os.setsid()  # a session of its own has no terminal
        os._exit(0 if asked_on_the_terminal("sure?") else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1
