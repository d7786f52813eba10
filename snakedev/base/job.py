"""What every Snakemake job shares: its log, its progress lines and the way it fails."""

import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from snakedev.base import process
from snakedev.base.errors import UserError

_TAIL_LINES = 20


class Job:
    """A running job: where it logs, and how it tells the person how far it is."""

    def __init__(self, title: str, log: IO[str], log_path: Path):
        self.title, self.log, self.log_path = title, log, log_path
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Wall-clock seconds since the job began."""
        return time.monotonic() - self._started

    def note(self, line: str) -> None:
        """Write a line to the log only."""
        self.log.write(line.rstrip("\n") + "\n")
        self.log.flush()

    def say(self, line: str) -> None:
        """Write a line to the log and show it, headed by the job's title, on the terminal."""
        self.note(line)
        # in one write, so that the lines of jobs that run at once stay whole
        sys.stderr.write(f"[{self.title}] {line}\n")

    def run(self, command: Sequence[str | Path], **options: Any) -> None:
        """Run a program into the job's log; see :func:`snakedev.base.process.run`."""
        process.run(command, log=self.log, **options)


@contextmanager
def job(title: str, log: str | Path) -> Iterator[Job]:
    """Run a job's body with its log; on failure show the reason, the log's last lines and path.

    A UserError is shown as its one message; any other exception goes to the log with its
    traceback. Both end the job's process with status 1. The job ends when Snakemake's main
    process does, even by kill -9, and takes the programs that it started with it.
    """
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    process.die_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGTERM, _leave)
    with path.open("w", encoding="utf-8") as file:
        running = Job(title, file, path)
        try:
            yield running
            return
        except UserError as error:
            running.note(f"error: {error}")
            message, tail = str(error), []
        except process.CommandError as error:
            message, tail = str(error), error.tail
            running.note(f"error: {error}")
        except Exception as error:
            message, tail = f"{type(error).__name__}: {error}", []
            running.note(traceback.format_exc())
    report_failure(title, message, path, tail)
    sys.exit(1)


def report_failure(title: str, message: str, log: Path, tail: Sequence[str]) -> None:
    """Print why a job failed: the last lines of its output, the reason, and the log's path."""
    lines = [f"[{title}] failed: {message}"]
    if tail:
        lines += ["  last lines of its output:", *(f"  | {line}" for line in tail[-_TAIL_LINES:])]
    lines.append(f"  log: {log}")
    sys.stderr.write("\n".join(lines) + "\n")


def scrubbed(keep: Sequence[str], source: Mapping[str, str]) -> dict[str, str]:
    """The named variables of an environment, and no others."""
    return {name: source[name] for name in keep if name in source}


def _leave(signum: int, _frame: object) -> None:
    raise SystemExit(128 + signum)
