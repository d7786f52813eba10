"""Processes that take turns: each is loaded once, and works when it is told to.

What else a machine does hits all of them alike then. A contender is a program that is handed one
end of a socket: it writes a line of JSON when it is ready, and one for each line of JSON that it
reads. Standard library only: this runs wherever a measuring program runs.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

MARK = "snakedev:"
"""What a measuring program's lines begin with that tell how far it is."""
_LOG_CHARACTERS = 4000


class TurnError(RuntimeError):
    """A contender ended, or took too long; the message holds the end of its log."""


class Contender:
    """A process that was started, and works when it is asked to.

    When the one that started it is gone, its socket is closed, and it ends by itself with all that
    it started: an engine's processes outlive one that is killed.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        variables: Mapping[str, str],
        log: Path,
        folder: Path,
    ):
        """Start ``command`` with the number of its socket as the last argument, in ``folder``.

        ``variables`` are its whole environment; what it writes goes to ``log``.
        """
        self.name, self.log = name, log
        ours, theirs = socket.socketpair()
        with log.open("w", encoding="utf-8") as file, theirs:
            self.process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                env=dict(variables),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._connection = ours
        self._lines: IO[str] = ours.makefile("rw", encoding="utf-8")

    def answer(self, seconds: float) -> Any:
        """The next line that it writes; raises TurnError when it ends or takes too long."""
        self._connection.settimeout(seconds)
        try:
            line = self._lines.readline()
        except TimeoutError:
            line = ""
        if not line:
            said = self.log.read_text(encoding="utf-8", errors="replace")[-_LOG_CHARACTERS:]
            raise TurnError(f"{self.name}: no answer; {self.log} ends with\n{said}")
        return json.loads(line)

    def ask(self, message: Mapping[str, Any], seconds: float) -> Any:
        """What it answers to a message; raises TurnError as :meth:`answer` does."""
        with suppress(BrokenPipeError):  # its log says more
            print(json.dumps(message), file=self._lines, flush=True)
        return self.answer(seconds)

    def end(self) -> int:
        """End it, and what it started, which may outlive it; returns its exit status."""
        return end(self.process)


def end(leader: subprocess.Popen) -> int:
    """End a process that leads a session, and what it started; returns its exit status."""
    with suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGKILL)
    return leader.wait()


def serve(
    connection: socket.socket, ready: Mapping[str, Any], work: Callable[[Any], Mapping[str, Any]]
) -> None:
    """A contender's side: say that it is ready, and answer until the other end is closed."""
    with connection, connection.makefile("rw", encoding="utf-8") as lines:
        print(json.dumps(ready), file=lines, flush=True)
        for line in lines:
            print(json.dumps(work(json.loads(line))), file=lines, flush=True)


def program(main: Callable[[Path, Path], None]) -> None:
    """Run a measuring program on the two files that its command line names; where one of those that
    take turns fails, it ends with that one's name and the end of its log."""
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except TurnError as error:
        sys.exit(str(error))


def say(line: str) -> None:
    """Tell whoever started the program how far it is."""
    print(MARK, line, flush=True)


def rotated(members: Sequence[Any], number: int) -> Iterator[Any]:
    """All members, each of them first in its turn."""
    turn = number % len(members)
    yield from members[turn:]
    yield from members[:turn]
