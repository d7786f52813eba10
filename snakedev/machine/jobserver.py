"""One GNU job server for all builds of a run: tokens for cores, and none lost to a killed build.

The protocol (https://www.gnu.org/software/make/manual/html_node/POSIX-Jobserver.html) lets a
program run one job for free and asks for a token, a byte in a named pipe, for every further one.
make 4.4, ninja 1.13 and cargo speak it. In one pipe for everybody the tokens of a killed program
would be lost, since nothing says who took them. So each build has a pipe of its own, and the
server, a thread of the workflow's main process, deals the tokens out to these pipes: it knows how
many each build was given, and has them back when the build's connection closes, however it ended.
"""

import fcntl
import math
import os
import selectors
import socket
import struct
import termios
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from snakedev.base.job import Job

_DEAL_EVERY_SECONDS = 0.1
_GREETING_SECONDS = 5.0
_TOKEN = b"+"
_GO = b"go\n"


@dataclass
class _Build:
    """A build that is connected, with the job that it may run for free or waits for."""

    connection: socket.socket
    pipe: int
    limit: int
    """Jobs that it may run at once."""
    memory_gb: float
    """Memory that must be there for a further one."""
    running: bool = False
    given: int = 0
    """Tokens that were put into its pipe and not taken back."""

    def idle(self) -> int:
        """Tokens that lie unused in its pipe."""
        answer = fcntl.ioctl(self.pipe, termios.FIONREAD, b"\0" * 4)
        return min(self.given, struct.unpack("i", answer)[0])

    def give(self, count: int) -> None:
        """Give it tokens, as far as its own limit goes: one job it runs without."""
        count = min(count, self.limit - 1 - self.given)
        if count > 0:
            os.write(self.pipe, _TOKEN * count)
            self.given += count

    def take(self, count: int) -> None:
        """Take back unused tokens, as many of them as the build has not used by now."""
        try:
            self.given -= len(os.read(self.pipe, count))
        except BlockingIOError:
            pass


class JobServer:
    """Deals ``limit`` jobs out to the builds that connect to a socket.

    A build gets no more than it has where ``memory_gb`` finds less memory than a job of it needs;
    one job may always run.
    """

    def __init__(
        self, address: Path, limit: int, memory_gb: Callable[[], float] = lambda: math.inf
    ):
        self._address, self._limit, self._memory_gb = address, limit, memory_gb
        self._builds: list[_Build] = []
        self._waiting: deque[_Build] = deque()
        self._turn = 0

    def start(self) -> Self:
        """Listen, and deal in a thread that ends with the process."""
        self._address.parent.mkdir(parents=True, exist_ok=True)
        self._address.unlink(missing_ok=True)  # a killed run's; the run lock is held here
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self._address))
        self._listener.listen()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        threading.Thread(target=self._serve, name="jobserver", daemon=True).start()
        return self

    def _serve(self) -> None:
        while True:
            timeout = _DEAL_EVERY_SECONDS if self._builds else None
            for key, _ in self._selector.select(timeout):
                if key.fileobj is self._listener:
                    self._welcome(self._listener.accept()[0])
                else:
                    self._dismiss(key.data)
            self._deal()

    def _welcome(self, connection: socket.socket) -> None:
        """A build says what it needs and where its pipe is, and waits until it may begin."""
        connection.settimeout(_GREETING_SECONDS)
        try:
            with connection.makefile("r", encoding="utf-8") as lines:
                limit, memory_gb, path = lines.readline().rstrip("\n").split(" ", 2)
            # for reading and writing, so that the pipe holds its tokens while nobody has it open
            pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError):
            connection.close()
            return
        build = _Build(connection, pipe, int(limit), float(memory_gb))
        self._builds.append(build)
        self._waiting.append(build)
        self._selector.register(connection, selectors.EVENT_READ, build)

    def _dismiss(self, build: _Build) -> None:
        """A build is over: what it was given counts as free again."""
        self._selector.unregister(build.connection)
        build.connection.close()
        os.close(build.pipe)
        self._builds.remove(build)
        if build in self._waiting:
            self._waiting.remove(build)

    def _deal(self) -> None:
        """Let builds begin, and share what is unused evenly, beginning with who has none left."""
        idle = {id(build): build.idle() for build in self._builds}
        used = sum(b.running + b.given for b in self._builds) - sum(idle.values())
        spare = self._limit - used
        memory_gb = self._memory_gb()
        # the first job needs no leave: a run on a small machine must end, if slowly
        while self._waiting and (
            used == 0 or (spare > 0 and self._waiting[0].memory_gb <= memory_gb)
        ):
            build = self._waiting.popleft()
            build.running = True
            used, spare = used + 1, spare - 1
            self._tell(build)
        self._turn += 1
        running = [build for build in self._builds if build.running]
        shift = self._turn % len(running) if running else 0
        order = sorted(running[shift:] + running[:shift], key=lambda build: idle[id(build)] > 0)
        total = 0 if self._waiting else max(0, spare)
        for place, build in enumerate(order):
            share = total // len(order) + (place < total % len(order))
            if build.memory_gb > memory_gb:
                share = 0
            have = idle[id(build)]
            if share > have:
                build.give(share - have)
            elif share < have:
                build.take(have - share)

    def _tell(self, build: _Build) -> None:
        try:
            build.connection.sendall(_GO)
        except OSError:
            pass  # it ended meanwhile: its connection says so next


def make_flags(pipe: Path, jobs: int) -> str:
    """What MAKEFLAGS tells a program of the job server behind a pipe."""
    return f" -j{jobs} --jobserver-auth=fifo:{pipe}"


@contextmanager
def joined(
    address: Path, pipe: Path, jobs: int, running: Job, memory_gb: float = 0.0
) -> Iterator[None]:
    """Take part in the run's job server, with ``jobs`` jobs at most of ``memory_gb`` each.

    ``pipe`` is made for this build, and programs of it take tokens there. Where no server
    listens at ``address``, the pipe holds tokens for ``jobs`` jobs and they are nobody else's.
    """
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(address))
        except OSError:
            held = os.open(pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                os.write(held, _TOKEN * (jobs - 1))
                yield
            finally:
                os.close(held)
            return
        connection.sendall(f"{jobs} {memory_gb} {pipe.resolve()}\n".encode())
        connection.settimeout(1.0)
        try:
            answer = connection.recv(len(_GO))
        except TimeoutError:
            running.say("waiting for a core: other builds have them all")
            connection.settimeout(None)
            answer = connection.recv(len(_GO))
        if answer != _GO:
            raise ConnectionError("the run's job server ended")
        yield
