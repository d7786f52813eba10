"""What every Snakemake job shares: its log, its progress lines and the way it fails."""

import errno
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from snakedev.base import process
from snakedev.base.errors import UserError
from snakedev.base.terminal import box, is_terminal, width, write_lines

VERDICTS = "SNAKEDEV_VERDICTS"
"""The variable that names the file of what is to stand last on the run's terminal."""


class Job:
    """A running job: where it logs, and how it tells the person how far it is.

    ``status_seconds`` lie between two lines on that, at least.
    """

    def __init__(self, title: str, log: IO[str], log_path: Path, *, status_seconds: float = 10):
        self.title, self.log, self.log_path = title, log, log_path
        self._status_seconds = status_seconds
        self._started = time.monotonic()
        self._next_status = self._started

    @property
    def seconds(self) -> float:
        """Wall-clock seconds since the job began."""
        return time.monotonic() - self._started

    def note(self, line: str) -> None:
        """Write a line to the log only; on a full disk it is lost, and the job goes on."""
        with suppress(OSError):
            self.log.write(line.rstrip("\n") + "\n")
            self.log.flush()

    def say(self, line: str) -> None:
        """Write a line to the log and show it, headed by the job's title, on the terminal."""
        self.note(line)
        write_lines(sys.stderr, [f"[{self.title}] {line}"])

    def status(self, line: str) -> None:
        """Say how far the job is, unless it has just done so."""
        if time.monotonic() >= self._next_status:
            self._next_status = time.monotonic() + self._status_seconds
            self.say(line)

    @contextmanager
    def telling(self, status: Callable[[], str]) -> Iterator[None]:
        """Say ``status()`` now and then while the block runs; nothing where it is empty."""
        over = threading.Event()

        def tell() -> None:
            while not over.wait(self._status_seconds):
                if line := status():
                    self.say(line)

        thread = threading.Thread(target=tell, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def telling_size(self, place: Path, total: float | None = None) -> AbstractContextManager[None]:
        """Say now and then how much a file or folder holds, of ``total`` bytes, meanwhile."""
        of = "" if total is None else f"of {total / 1e6:.0f} "
        return self.telling(lambda: f"{_bytes(place) / 1e6:.0f} {of}MB")

    def conclude(self, line: str) -> None:
        """Say what the run comes to: on a terminal that is what stands there last."""
        file = os.environ.get(VERDICTS)
        if file and is_terminal(sys.stderr):
            self.note(line)
            with open(file, "a", encoding="utf-8") as verdicts:
                verdicts.write(f"[{self.title}] {line}\n")
        else:
            self.say(line)

    def run(self, command: Sequence[str | Path], **options: Any) -> None:
        """Run a program into the job's log; see :func:`snakedev.base.process.run`."""
        process.run(command, log=self.log, **options)


@contextmanager
def job(title: str, log: str | Path) -> Iterator[Job]:
    """Run a job's body with its log; on failure show why, and the log's path.

    A UserError is shown as its one message; any other exception goes to the log with its
    traceback. Both end the job's process with status 1. The job ends when Snakemake's main
    process does, even by kill -9, and takes the programs that it started with it.
    """
    path = Path(log)
    process.die_with_parent(signal.SIGTERM)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    with _opened(path) as (file, own):
        running = Job(title, file, own)
        try:
            yield running
            return
        except UserError as error:
            running.note(f"error: {error}")
            message, why = str(error), []
        except process.CommandError as error:
            message, why = str(error), error.why
            running.note(f"error: {error}")
        except Exception as error:
            message, why = f"{type(error).__name__}: {error}", []
            running.note(traceback.format_exc())
    report_failure(title, message, own if own.exists() else path, why)
    sys.exit(1)


@contextmanager
def _opened(log: Path) -> Iterator[tuple[IO[str], Path]]:
    """A job's log and a path of its own; nowhere on a full disk, for what frees room there.

    Snakemake removes a log of that name before a job, also that of an earlier attempt which lives
    on elsewhere: so each attempt has another name for its log, and leaves it where the plain one
    has come to be another attempt's.
    """
    own = log.with_name(f"{log.stem}-{socket.gethostname()}-{os.getpid()}{log.suffix}")
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        file = log.open("w", encoding="utf-8")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        file = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (closed below)
    else:
        try:
            os.link(log, own)
        except OSError:
            own = log  # a disk without such names
    try:
        yield file, own
    finally:
        with suppress(OSError):
            file.close()
        with suppress(OSError):
            if own != log and own.samefile(log):
                own.unlink()


def report_failure(title: str, message: str, log: Path, why: Sequence[str]) -> None:
    """Print why a job failed: the reason, lines of its output, and the log's path.

    On a terminal, in a box.
    """
    if is_terminal(sys.stderr):
        shown = [*message.splitlines(), *(f"  {line}" for line in why)]
        shown.append(f"log: {log}")
        write_lines(sys.stderr, box(f"{title} failed", shown, width(sys.stderr)))
        return
    lines = [f"[{title}] failed: {message}"]
    if why:
        lines += ["  its output says:", *(f"  | {line}" for line in why)]
    lines.append(f"  log: {log}")
    write_lines(sys.stderr, lines)


def scrubbed(keep: Sequence[str], source: Mapping[str, str]) -> dict[str, str]:
    """The named variables of an environment, and no others."""
    return {name: source[name] for name in keep if name in source}


def _bytes(place: Path) -> int:
    """How much a file or folder holds; what goes meanwhile does not count."""
    total = 0
    with suppress(OSError):
        for path in (place, *place.rglob("*")):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _leave(signum: int, _frame: object) -> None:
    raise SystemExit(128 + signum)
