"""Processes that take turns: they answer, end with all that they started, and are named."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from snakedev.inside.bench.turns import Contender, TurnError, rotated
from tests.project import PROJECT

DOUBLING = """
import socket, sys
sys.path.append(sys.argv[1])
from snakedev.inside.bench.turns import serve
connection = socket.socket(fileno=int(sys.argv[2]))
serve(connection, {"ready": True}, lambda asked: {"twice": 2 * asked["n"]})
"""
WITH_A_CHILD = """
import json, os, socket, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with socket.socket(fileno=int(sys.argv[2])) as connection:
    connection.sendall((json.dumps({"child": child.pid}) + "\\n").encode())
    time.sleep(600)
"""
BROKEN = "import sys; print('no such model'); sys.exit(3)"


@pytest.fixture
def start(tmp_path: Path) -> Callable[[str], Contender]:
    def started(code: str) -> Contender:
        command = [sys.executable, "-c", code, str(PROJECT)]
        return Contender("one", command, os.environ, tmp_path / "one.log", tmp_path)

    return started


def test_a_contender_works_when_it_is_asked(start) -> None:
    one = start(DOUBLING)
    assert one.answer(60) == {"ready": True}
    assert [one.ask({"n": number}, 60) for number in (1, 4)] == [{"twice": 2}, {"twice": 8}]
    assert one.end() < 0


def test_what_a_contender_started_ends_with_it(start) -> None:
    one = start(WITH_A_CHILD)
    child = psutil.Process(one.answer(60)["child"])
    one.end()
    child_ended = time.monotonic() + 10
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < child_ended, "it outlived the one that started it"
        time.sleep(0.05)


def test_one_that_ends_is_named_with_the_end_of_its_log(start) -> None:
    one = start(BROKEN)
    with pytest.raises(TurnError, match=r"(?s)^one: no answer; .*one.log ends with.*no such model"):
        one.answer(60)
    with pytest.raises(TurnError, match="no such model"):
        one.ask({}, 60)


def test_one_that_takes_too_long_is_named(start) -> None:
    one = start("import time; time.sleep(600)")
    with pytest.raises(TurnError, match=r"^one: no answer"):
        one.answer(0.2)
    one.end()


def test_each_begins_in_its_turn() -> None:
    assert ["".join(rotated("abc", number)) for number in range(4)] == ["abc", "bca", "cab", "abc"]
