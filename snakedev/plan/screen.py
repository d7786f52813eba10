"""What a person at a terminal sees of a run in place of Snakemake's blocks of rules.

Jobs write their own lines there. Below them one line is drawn again each second, and when a job
starts: how many jobs are done, and which run for how long. At the end stand the count, what failed,
and the verdicts.
"""

import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from snakedev.base.job import VERDICTS
from snakedev.base.terminal import clock, draw, is_terminal, red, write_lines

_PRINT_SETTINGS = ("quiet", "verbose", "debug_dag", "printshellcmds", "show_failed_logs")
# of Snakemake's messages without an event, those that say what the screen says, or what is usual
_USUAL = (
    "Assuming unrestricted shared filesystem",
    "Building DAG of jobs",
    "Using shell: ",
    "Select jobs to execute",
    "Execute ",
    "Shutting down, this might take some time",
    "Exiting because a job execution failed",
    "Complete log",
    "Elapsed time",
    "WorkflowError:\nAt least one job did not complete successfully",
)
# how a job ends after Ctrl-C, and after it has said itself what is wrong
_INTERRUPTED = f"returned non-zero exit status {128 + signal.SIGINT}."
_SAID_BY_THE_JOB = ("returned non-zero exit status 1.", _INTERRUPTED)


def take(log: logging.Logger, asked: object) -> None:
    """Show the run of this process on its terminal, if Snakemake would write its lines there.

    Snakemake's lines stay where there is no terminal, in a dry run, and where more or less of them
    was ``asked`` for (`--verbose`, `--quiet`, …); so does a logger of the user's choice.
    """
    if is_terminal(sys.stderr) and not any(getattr(asked, name) for name in _PRINT_SETTINGS):
        for handler in list(log.handlers):
            named = handler.name == "DefaultStreamHandler"
            if named and getattr(handler, "stream", None) is sys.stderr:
                log.removeHandler(handler)
                log.addHandler(Screen(handler.formatter))


@dataclass
class _Running:
    name: str
    logs: list[str]
    since: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        return f"{self.name} {clock(time.monotonic() - self.since)}"


class Screen(logging.Handler):
    """Shows Snakemake's records on standard error, which is a terminal."""

    def __init__(self, formatter: logging.Formatter | None):
        super().__init__()
        self.setFormatter(formatter)
        self._started = time.monotonic()
        self._done, self._total = 0, 0
        self._running: dict[int, _Running] = {}
        self._failed: list[_Running] = []
        self._interrupted = False
        self._over = threading.Event()
        self._clock = threading.Thread(target=self._redraw, daemon=True)
        number, os.environ[VERDICTS] = tempfile.mkstemp(prefix="verdicts-")
        os.close(number)

    def emit(self, record: logging.LogRecord) -> None:
        """Show what a record tells."""
        try:
            self._show(record, vars(record))
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Write the run's end, once."""
        if not self._over.is_set():
            self._over.set()
            verdicts = Path(os.environ.pop(VERDICTS))
            assert self.lock is not None
            with self.lock:
                if self._done or self._running or self._failed:
                    said = verdicts.read_text(encoding="utf-8").splitlines()
                    write_lines(sys.stderr, [*self._end(), *said])
            verdicts.unlink()
        super().close()

    def _show(self, record: logging.LogRecord, told: Mapping) -> None:
        match told.get("event"):
            case None | "error":
                text = self.format(record)
                self._interrupted |= text.endswith(_INTERRUPTED)
                if not text.startswith(_USUAL) and not text.endswith(_SAID_BY_THE_JOB):
                    marked = red if record.levelno >= logging.ERROR else str
                    write_lines(sys.stderr, map(marked, text.splitlines()))
            case "run_info":
                counts = dict(told["stats"])
                self._total = counts.pop("total")
                rules = (f"{n} {rule}" if n > 1 else rule for rule, n in counts.items())
                write_lines(sys.stderr, [f"{_jobs(self._total)}: {', '.join(rules)}"])
            case "job_info":
                self._running[told["jobid"]] = _Running(_name(told), told["log"])
                # what a lone job says is enough, and it may be asking something
                if self._total > 1:
                    self._draw()
                    if not self._clock.ident:
                        self._clock.start()
            case "job_finished":
                self._running.pop(told["job_id"], None)
            case "job_error":
                if failed := self._running.pop(told["jobid"], None):
                    self._failed.append(failed)
            case "progress":
                self._done, self._total = told["done"], told["total"]

    def _redraw(self) -> None:
        assert self.lock is not None
        while not self._over.wait(1):
            with self.lock:
                if not self._over.is_set():
                    self._draw()

    def _draw(self) -> None:
        draw(sys.stderr, " · ".join([self._count(), *map(str, self._running.values())]))

    def _count(self) -> str:
        taken = clock(time.monotonic() - self._started)
        return f"{self._done} of {_jobs(self._total)} done in {taken}"

    def _end(self) -> list[str]:
        how = "interrupted" if self._interrupted else "failed"
        lines = [self._count()]
        for one in self._failed:
            lines += [red(f"{how}: {one.name}"), *(f"  log: {log}" for log in one.logs)]
        return lines


def _jobs(number: int) -> str:
    return f"{number} job{'' if number == 1 else 's'}"


def _name(told: Mapping) -> str:
    """A job by its rule and what it is run for: `wheel cpu/vllm`."""
    what = "/".join(value for name, value in told["wildcards"].items() if name != "key")
    return f"{told['rule_name']} {what}".strip()
