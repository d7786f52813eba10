"""Pruning: what it finds, what it asks, and what it leaves."""

import os
import pty
import re
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import job
from snakedev.store.layout import Layout
from snakedev.store.prune import asked_on_the_terminal, prune, unreached
from snakedev.store.roots import Root, root_file, write_root

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


def ask(layout, reached, tmp_path, answer=True):
    """Prune with one answer; the bytes that were freed, the questions and the log."""
    questions = []

    def confirm(question: str) -> bool:
        questions.append(question)
        return answer

    with job("prune", tmp_path / "log") as running:
        freed = prune(layout, reached, confirm, running)
    return freed, questions, (tmp_path / "log").read_text()


@pytest.mark.parametrize("answer", [True, False])
def test_nothing_goes_without_a_yes(layout, reached, tmp_path, answer):
    found = unreached(layout, reached)
    freed, questions, log = ask(layout, reached, tmp_path, answer)
    assert freed == (3000 if answer else 0)
    assert questions == ["remove these 3 folders and free 0.0 MB?"]
    assert all(one.folder.exists() is not answer for one in found)
    assert all(folder.exists() for folder in reached)
    assert all(str(one.folder) in log for one in found)


def test_what_a_killed_removal_left_goes(layout, reached):
    wheel = layout.wheel("cpu", "vllm", OLD)
    doomed = wheel.rename(wheel.with_name(f".doomed-{OLD}"))
    assert doomed in {one.folder for one in unreached(layout, reached)}


def test_scratch_folders_go_a_week_after_anybody_touched_them(layout, reached):
    home = layout.wheel("cpu", "vllm", OLD).parent
    for name, days in (("late", 8), ("busy", 1)):
        scratch = home / f".scratch-elsewhere-1-{name}"
        scratch.mkdir()
        os.utime(scratch, (time.time() - days * 86400,) * 2)
    found = {one.folder.name for one in unreached(layout, reached)}
    assert ".scratch-elsewhere-1-late" in found
    assert ".scratch-elsewhere-1-busy" not in found


def test_what_was_made_of_work_folders_goes_when_it_is_not_reached(layout, reached):
    keys = [f"work-{number * 16}" for number in "23"]
    wheels = [layout.wheel("cpu", "vllm", key) for key in keys]
    environments = [layout.environment("run-cpu", key) for key in keys]
    for folder in (*wheels, *environments):
        folder.mkdir(parents=True)
    found = {one.folder for one in unreached(layout, [*reached, wheels[1], environments[1]])}
    assert {wheels[0], environments[0]} <= found
    assert not {wheels[1], environments[1]} & found


def test_records_of_what_is_gone_go_with_it(layout, reached, tmp_path):
    def records(key: str) -> list[Path]:
        made = [
            layout.stamp("wheel", "cpu/vllm", key),
            layout.spec("environment", "run-cpu", key),
            layout.root / f"logs/wheel/cpu/vllm/{key}.log",
            layout.root / f"benchmarks/wheel/cpu/vllm/{key}.tsv",
        ]
        for file in made:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        return made

    gone, pruned_by_another, kept = records(OLD), records("3" * 16), records(PRESENT)
    # a check of a pin names no folder, and says the same as ever
    pin = layout.stamp("mirror", "vllm", OLD)
    pin.parent.mkdir(parents=True)
    pin.touch()
    ask(layout, reached, tmp_path, answer=False)
    assert all(file.exists() for file in (*gone, *pruned_by_another, *kept))
    ask(layout, reached, tmp_path)
    assert not any(file.exists() for file in (*gone, *pruned_by_another))
    assert all(file.exists() for file in (*kept, pin))


@pytest.fixture
def shared(layout: Layout, tmp_path: Path) -> Layout:
    """A store with a present and an old wheel, shared by two workflows."""
    both = replace(layout, store=tmp_path / "store")
    for key in (OLD, PRESENT):
        folder = both.wheel("any", "repo", key)
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 1_000_000)
    return both


def other(shared: Layout, tmp_path: Path) -> Layout:
    folder = tmp_path / "theirs" / "results"
    folder.mkdir(parents=True)
    return replace(shared, root=folder)


def test_in_a_shared_store_nothing_goes_that_another_workflow_reaches(shared, tmp_path):
    wheels = {key: shared.wheel("any", "repo", key) for key in (OLD, PRESENT)}
    theirs = other(shared, tmp_path)
    write_root(shared, [wheels[PRESENT]])
    write_root(theirs, [wheels[OLD], theirs.environment("run-cpu", OLD)])
    assert not set(wheels.values()) & {one.folder for one in unreached(shared, [wheels[PRESENT]])}

    _, _, log = ask(shared, [wheels[PRESENT]], tmp_path)
    assert all(folder.exists() for folder in wheels.values())
    kept = rf"^ +1\.0 MB  kept for \S+ on {socket.gethostname()}, {theirs.root} \(last run .+\)$"
    assert re.search(kept, log, re.MULTILINE)

    # at its next run it reaches something else
    write_root(theirs, [wheels[PRESENT]])
    freed, _, _ = ask(shared, [wheels[PRESENT]], tmp_path)
    assert not wheels[OLD].exists()
    assert wheels[PRESENT].exists()
    assert freed >= 1_000_000


def test_what_is_reached_while_the_question_stands_stays(shared, tmp_path):
    wheel, theirs = shared.wheel("any", "repo", OLD), other(shared, tmp_path)

    def confirm(question: str) -> bool:
        write_root(theirs, [wheel])
        return True

    with job("prune", tmp_path / "log") as running:
        prune(shared, [], confirm, running)
    assert wheel.exists()
    assert not shared.wheel("any", "repo", PRESENT).exists()


def test_the_root_of_a_workflow_that_is_gone_goes_after_a_yes(shared, tmp_path):
    wheel, theirs = shared.wheel("any", "repo", OLD), other(shared, tmp_path)
    root = write_root(theirs, [wheel])
    theirs.root.rmdir()
    _, _, log = ask(shared, [], tmp_path, answer=False)
    assert f"its folder is gone: {Root.read(root).owner}" in log
    assert root.exists()
    ask(shared, [], tmp_path)
    assert not root.exists()
    assert not wheel.exists()


def test_another_machine_s_root_stays_though_its_folder_is_not_here(shared, tmp_path):
    wheel, theirs = shared.wheel("any", "repo", OLD), other(shared, tmp_path)
    root = write_root(theirs, [wheel])
    Root.read(root).model_copy(update={"host": "elsewhere"}).write(root)
    theirs.root.rmdir()
    ask(shared, [], tmp_path)
    assert root.exists()
    assert wheel.exists()


def test_a_root_that_cannot_be_read_stops_it(shared, tmp_path):
    root = write_root(other(shared, tmp_path), [])
    root.write_text("{}")
    with pytest.raises(UserError, match=rf"{root.name}: not a Root"):
        unreached(shared, [])


def test_each_workflow_has_a_root_of_its_own_that_its_next_run_replaces(shared, tmp_path):
    theirs = other(shared, tmp_path)
    assert len({root_file(shared), root_file(theirs)}) == 2
    first = write_root(shared, [shared.wheel("any", "repo", OLD)])
    second = write_root(shared, [shared.wheel("any", "repo", PRESENT)])
    assert first == second
    assert Root.read(first).reached == (Path("wheels/any/repo") / PRESENT,)


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
