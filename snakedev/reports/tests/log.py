"""What pytest has written of a session: the outcome of each test, as it ended."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from snakedev.reports.tests.record import OneTest, Outcome, TestFile

_DETAIL = 300
_CRASHED = re.compile(r"worker '(\w+)' crashed while running")
# What pytest-timeout prints before it ends a worker, and what pytest-xdist then does.
_TIMEOUT = re.compile(r"\++ Timeout \++$")
_DOWN = re.compile(r"\[\w+\] node down")


class Session:
    """What is known of a session, from the log of reports that pytest-reportlog writes."""

    def __init__(self, lines: Iterable[str], ends: Iterable[Outcome] = ()):
        """``ends`` say how workers ended that did, in order: crashed, or hung."""
        self._tests: dict[str, dict[str, OneTest]] = {}
        self._problems: dict[str, str] = {}
        self._worker: dict[str, str] = {}
        self._busy: dict[str, str] = {}
        self.exit_status: int | None = None
        ended = iter(ends)
        for report in _reports(lines):
            kind = report["$report_type"]
            if kind == "SessionFinish":
                self.exit_status = report["exitstatus"]
            elif kind == "CollectReport" and report["outcome"] != "passed":
                self._collect(report)
            elif kind == "TestReport":
                self._add(report, ended)

    @property
    def finished(self) -> bool:
        """Whether it ran to its end: tests may have failed in it."""
        # all passed, some failed, there were none
        return self.exit_status in (0, 1, 5)

    def file(self, name: str) -> TestFile:
        """The tests of a file, as far as they ran."""
        tests = self._tests.get(name, {})
        return TestFile(
            file=name, tests=tuple(tests.values()), problem=self._problems.get(name, "")
        )

    @property
    def whole(self) -> set[str]:
        """The files all of whose tests have run: its worker went on to another file."""
        if self.finished:
            return {*self._tests, *self._problems}
        done = {file for file, worker in self._worker.items() if self._busy[worker] != file}
        return done | self._problems.keys()

    def _collect(self, report: Mapping[str, Any]) -> None:
        file = report["nodeid"].partition("::")[0]
        if report["outcome"] == "skipped":
            reason = _reason(report["longrepr"])
            self._tests[file] = {
                file: OneTest(test=file, outcome="skipped", seconds=0.0, detail=reason)
            }
        else:
            self._problems[file] = _reason(report["longrepr"])

    def _add(self, report: Mapping[str, Any], ended: Iterator[Outcome]) -> None:
        name = report["nodeid"]
        file = name.partition("::")[0]
        detail = _reason(report["longrepr"])
        worker = report.get("worker_id", "")
        if crashed := _CRASHED.search(detail):
            worker = crashed[1]
        self._worker[file] = worker
        self._busy[worker] = file
        tests = self._tests.setdefault(file, {})
        outcome: Outcome = report["outcome"]
        if crashed:
            outcome = next(ended, "crashed")
            detail = _ENDS[outcome]
        elif outcome == "skipped" and "wasxfail" in report:
            outcome = "xfailed"
        elif outcome == "failed" and report["when"] != "call":
            outcome = "error"
        before = tests.get(name)
        seconds = round(report.get("duration", 0) + (before.seconds if before else 0), 3)
        if (
            before
            and before.outcome not in ("passed", "xfailed")
            and outcome in ("passed", "error")
        ):
            # a test that failed may pass or fail as its fixtures end
            outcome, detail = before.outcome, before.detail
        elif before and before.outcome == "xfailed" and outcome == "passed":
            outcome, detail = before.outcome, before.detail
        tests[name] = OneTest(test=name, outcome=outcome, seconds=seconds, detail=detail)


_ENDS: dict[Outcome, str] = {
    "crashed": "its process crashed: the log has the stacks",
    "hung": "it did not end within its time: the log has the stacks",
}


def read_session(log: Path, output: Iterable[str] = ()) -> Session:
    """Read a session's log, as far as it goes; ``output`` is what pytest printed."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    return Session(lines, ends(output))


def ends(output: Iterable[str]) -> Iterator[Outcome]:
    """How each worker ended that did not end by itself, in order: crashed, or hung."""
    timeouts = 0
    for line in output:
        if _TIMEOUT.search(line.strip()):
            # printed above, where pytest's dots may stand before it, and below the stacks
            timeouts += 1
        elif _DOWN.search(line):
            yield "hung" if timeouts >= 2 else "crashed"
            timeouts = max(0, timeouts - 2)


def _reports(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            return  # cut off where the session was killed


def _reason(said: Any) -> str:
    """Why a test did not pass, in a line; empty for one that did."""
    if said is None:
        return ""
    if isinstance(said, Mapping):
        crash = said.get("reprcrash")
        text = crash["message"] if crash else ""
    elif isinstance(said, list | tuple):
        text = str(said[-1]).removeprefix("Skipped: ")
    else:
        lines = [line for line in str(said).splitlines() if line.startswith("E ")]
        text = lines[-1].removeprefix("E ") if lines else str(said).strip()
    line = " ".join(text.split())
    return line if len(line) <= _DETAIL else f"{line[: _DETAIL - 1]}…"
