"""The job server: cores are shared, none is idle while a build wants it, and none is lost."""

import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from snakedev.machine.jobserver import JobServer, joined
from tests.project import PROJECT

# A build that takes tokens until it has as many as it is told to, says so, and waits.
GREEDY = """
import os, sys, time
from pathlib import Path
from snakedev.base.job import Job
from snakedev.machine.jobserver import joined
address, pipe, wanted = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
running = Job("greedy", sys.stderr, Path("log"))
with joined(address, pipe, wanted + 1, running):
    tokens = os.open(pipe, os.O_RDWR)
    taken = b""
    while len(taken) < wanted:
        taken += os.read(tokens, 1)
    print("taken", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def address(tmp_path, monkeypatch):
    """A socket's path, short as it is in a workflow: relative to the working folder."""
    monkeypatch.chdir(tmp_path)
    return Path("results/.jobserver")


@contextmanager
def greedy(address, pipe, wanted):
    """A build in a process of its own that holds so many tokens."""
    command = [sys.executable, "-c", GREEDY, address, pipe, str(wanted)]
    root = str(PROJECT)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def tokens_in(pipe):
    """Tokens that lie in a pipe."""
    descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        return struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4))[0]
    finally:
        os.close(descriptor)


def becomes(value, look, seconds=20):
    """Whether something has a value within a time."""
    deadline = time.monotonic() + seconds
    while look() != value and time.monotonic() < deadline:
        time.sleep(0.02)
    return look() == value


def test_a_build_alone_has_all_cores_and_two_share_them(address, tmp_path, running):
    JobServer(address, 5).start()
    one, two = tmp_path / "one", tmp_path / "two"
    with joined(address, one, 5, running):
        # one job needs no token
        assert becomes(4, lambda: tokens_in(one))
        with joined(address, two, 5, running):
            assert becomes([1, 2], lambda: sorted((tokens_in(one), tokens_in(two))))
        assert becomes(4, lambda: tokens_in(one))


def test_the_tokens_of_a_killed_build_come_back(address, tmp_path, running):
    JobServer(address, 4).start()
    with greedy(address, tmp_path / "greedy", 3) as process:
        assert process.stdout.readline() == "taken\n"
        mine = tmp_path / "mine"
        started = threading.Event()

        def build():
            with joined(address, mine, 4, running):
                started.set()
                assert becomes(3, lambda: tokens_in(mine))
                done.set()

        done = threading.Event()
        threading.Thread(target=build, daemon=True).start()
        # every core is taken: a further build waits for one
        assert not started.wait(1.5)
        process.send_signal(signal.SIGKILL)
        assert done.wait(20)


def test_what_one_build_leaves_unused_goes_to_another(address, tmp_path, running):
    JobServer(address, 6).start()
    with (
        joined(address, tmp_path / "lazy", 6, running),
        greedy(address, tmp_path / "greedy", 4) as process,
    ):
        assert process.stdout.readline() == "taken\n"
        assert becomes(0, lambda: tokens_in(tmp_path / "lazy"))


def test_while_memory_is_short_one_job_runs(address, tmp_path, running):
    memory = [1.0]
    JobServer(address, 4, lambda: memory[0]).start()
    mine = tmp_path / "mine"
    with joined(address, mine, 4, running, memory_gb=2.0):
        time.sleep(0.5)
        assert tokens_in(mine) == 0
        memory[0] = 2.0
        assert becomes(3, lambda: tokens_in(mine))
        memory[0] = 1.0
        assert becomes(0, lambda: tokens_in(mine))


def test_a_build_of_large_jobs_gets_no_more_than_it_asked_for(address, tmp_path, running):
    JobServer(address, 6, lambda: 5.0).start()
    large, small = tmp_path / "large", tmp_path / "small"
    with joined(address, large, 2, running, memory_gb=4.0):
        assert becomes(1, lambda: tokens_in(large))
        with joined(address, small, 6, running, memory_gb=1.0):
            assert becomes(True, lambda: tokens_in(small) >= 2)
            assert tokens_in(large) == 1


def test_without_a_server_a_build_has_its_own_jobs(address, tmp_path, running):
    mine = tmp_path / "mine"
    with joined(address, mine, 3, running):
        assert tokens_in(mine) == 2


def test_a_server_replaces_the_socket_of_a_killed_run(address, tmp_path, running):
    address.parent.mkdir()
    address.touch()
    JobServer(address, 2).start()
    with joined(address, tmp_path / "mine", 2, running):
        assert becomes(1, lambda: tokens_in(tmp_path / "mine"))
