"""File locks, between real processes."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.file_lock import held, take
from snakedev.base.run_lock import RunLock

_HOLDER = """
import sys, time
from pathlib import Path
from snakedev.base.file_lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "made" / ".lock"


@pytest.fixture
def holder(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    words = [sys.executable, "-c", _HOLDER, str(lock)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lock_is_waited_for_until_its_holder_ends_by_kill_9_too(
    lock: Path, holder: subprocess.Popen[str]
) -> None:
    said: list[str] = []

    def wait() -> None:
        with held(lock, lambda: said.append("waiting")):
            said.append("held")

    waiting = threading.Thread(target=wait)
    waiting.start()
    waiting.join(0.3)
    assert said == ["waiting"]
    holder.kill()
    waiting.join(30)
    assert said == ["waiting", "held"]


def test_a_free_lock_is_not_waited_for(lock: Path) -> None:
    for _ in range(2):
        with held(lock, lambda: pytest.fail("it is free")):
            pass


def test_a_lock_is_not_taken_from_its_holder(lock: Path, holder: subprocess.Popen[str]) -> None:
    with lock.open("w") as file:
        assert not take(file)
        holder.kill()
        holder.wait()
        assert take(file)


def test_a_second_run_names_the_first(tmp_path: Path) -> None:
    first = RunLock(tmp_path / "results")
    first.acquire()
    owner = (tmp_path / "results/.run.lock").read_text().split()[0]
    with pytest.raises(
        UserError, match=rf"^another run \(process {owner}\) is at work in /.*results"
    ):
        RunLock(tmp_path / "results").acquire()
