"""The report on upstream's own tests: a page for a person, a table for a program."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from snakedev.base.errors import UserError
from snakedev.base.records import Record
from snakedev.config.upstream_tests import COLUMNS, Column
from snakedev.reports.html import duration
from snakedev.reports.tests.compare import Difference, ProjectTests, compare
from snakedev.reports.tests.known import Known
from snakedev.reports.tests.record import PASSED, WORDS, TestsRecord
from snakedev.reports.write import write

_COLUMNS = [
    "variant",
    "repo",
    "version",
    "test",
    *COLUMNS,
    "runnable",
    "same",
    "known",
    "detail",
]
_ENDS = {
    "passed": "passes",
    "failed": "fails",
    "error": "fails as it begins or ends",
    "crashed": "crashes",
    "hung": "hangs",
    "skipped": "is skipped",
    "missing": "is not run",
}
_SHOWN = 12


class TestsReportRecord(Record):
    """What the report on upstream's tests shows."""

    key: str
    """One key for all of it."""
    projects: tuple[ProjectTests, ...]
    runs: tuple[TestsRecord, ...]

    @property
    def differences(self) -> list[tuple[ProjectTests, Difference]]:
        """All of them, those that are not known first."""
        found = [(project, one) for project in self.projects for one in project.differences]
        return sorted(found, key=lambda pair: pair[1].known is not None)

    @property
    def vanished(self) -> list[str]:
        """What is said to be known and does not differ."""
        return [f"{p.repo}: {test}" for p in self.projects for test in p.vanished]


def write_report(
    runs: Sequence[TestsRecord], known: Mapping[str, Mapping[str, Known]], key: str, folder: Path
) -> TestsReportRecord:
    """Write tests.html, .csv and .json."""
    record = TestsReportRecord(key=key, projects=tuple(compare(runs, known)), runs=tuple(runs))
    write(record, table(record), "tests/page.html.j2", _page(record), folder, "tests")
    return record


def refuse_differences(record: TestsReportRecord, known: Path) -> None:
    """Raise UserError with a line for each difference that is not known, which ``known`` lists."""
    lines = [
        f"{project.repo}: {one.test} {_ENDS[one.outcome]} ({_words(one.column, project)}): "
        f"{one.detail or 'no reason is given'}"
        for project, one in record.differences
        if one.known is None
    ]
    if lines:
        more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        raise UserError(
            "\n".join([*lines[:_SHOWN], *more])
            + f"\nmend what is wrong, or say in {known} why it is as it is; all of them are in "
            "tests.html"
        )


def headline(record: TestsReportRecord) -> str:
    """The verdict in a sentence."""
    total = sum(project.runnable for project in record.projects)
    same = sum(project.same for project in record.projects)
    stock = all(p.compared_with == "stock" and not p.elsewhere for p in record.projects)
    than = "as on an ordinary Python" if stock else "as on an ordinary Python, or with the GIL on"
    count = len(record.projects)
    projects = f"{count} projects" if count > 1 else record.projects[0].repo
    less = total - same
    if not less:
        return f"All {total:,} tests of {projects} pass {than}."
    return f"Of {total:,} tests of {projects}, {same:,} pass {than}; {less:,} do not."


def table(record: TestsReportRecord) -> pd.DataFrame:
    """One row for each test, with its outcome in each column."""
    return pd.DataFrame(_rows(record), columns=_COLUMNS)


def _rows(record: TestsReportRecord) -> Iterator[dict[str, Any]]:
    by_project = {(p.variant, p.repo): p for p in record.projects}
    runs: dict[tuple[str, str], dict[Column, TestsRecord]] = {}
    for run in record.runs:
        runs.setdefault((run.variant, run.repo), {})[run.column] = run
    for place, columns in runs.items():
        project = by_project[place]
        differing = {one.test: one for one in project.differences}
        tests = {name: run.tests for name, run in columns.items()}
        for test in dict.fromkeys(test for known in tests.values() for test in known):
            base = tests[project.compared_with].get(test)
            runnable = any(
                known[test].outcome in PASSED for known in tests.values() if test in known
            )
            one = differing.get(test)
            ended: dict[str, Any] = {
                name: known[test].outcome for name, known in tests.items() if test in known
            }
            yield {
                "variant": project.variant,
                "repo": project.repo,
                "version": project.version,
                "test": test,
                **ended,
                "runnable": runnable,
                "same": runnable and one is None,
                "known": one.known.reason if one and one.known else None,
                "detail": one.detail if one else base.detail if base else None,
            }


def _page(record: TestsReportRecord) -> dict[str, Any]:
    unknown = [one for _, one in record.differences if one.known is None]
    known = len(record.differences) - len(unknown)
    total = sum(project.runnable for project in record.projects)
    same = sum(project.same for project in record.projects)
    in_threads = sum(project.in_threads for project in record.projects)
    skipped = sum(sum(p.not_runnable.values()) for p in record.projects)
    spent = sum(sum(project.seconds.values()) for project in record.projects)
    return {
        "state": "failed" if unknown else "warned" if record.differences else "good",
        "word": "",
        "headline": headline(record),
        "summary": _summary(record, spent),
        "tiles": [
            (f"{total:,}", "tests that can be run here"),
            (f"{same:,}", "pass everywhere"),
            (f"{in_threads:,}", "ran in many threads at once"),
            (len(unknown), f"differences without a reason{f', {known} with one' if known else ''}"),
            (f"{skipped:,}", "cannot be run here"),
        ],
        "vanished": record.vanished,
        "work": {repo: tree for run in record.runs for repo, tree in run.work.items()},
        "projects": [_project(project) for project in record.projects],
        "differences": [_difference(project, one) for project, one in record.differences],
    }


def _summary(record: TestsReportRecord, seconds: float) -> str:
    threads = max(run.threads for run in record.runs)
    each = f", and with each test in {threads} threads at once" if threads > 1 else ""
    return (
        "Tests of upstream, copied out of the patched sources and "
        "run against the wheels: on an ordinary Python with stock wheels where there are any, then "
        f"here with the GIL on, with it off{each}. The runs took {duration(seconds)} together."
    )


def _words(column: Column, project: ProjectTests) -> str:
    python = project.pythons.get(column)
    return f"{WORDS[column]}, {python}" if column == "stock" and python else WORDS[column]


def _project(project: ProjectTests) -> dict[str, Any]:
    columns: list[dict[str, Any]] = []
    for name in COLUMNS:
        if name in project.without:
            why = project.without[name]
            columns.append({"name": WORDS[name], "without": why, "base": False})
        elif name in project.counts:
            counts = project.counts[name]
            passed = sum(counts.get(outcome, 0) for outcome in PASSED)
            failed = sum(counts.get(end, 0) for end in ("failed", "error", "crashed", "hung"))
            columns.append(
                {
                    "name": _words(name, project),
                    "without": "",
                    "passed": f"{passed:,}",
                    "failed": f"{failed:,}",
                    "skipped": f"{counts.get('skipped', 0):,}",
                    "seconds": duration(project.seconds[name]),
                    "base": name == project.compared_with,
                }
            )
    reasons = list(project.not_runnable.items())
    return {
        "project": project,
        "columns": columns,
        "less": project.runnable - project.same,
        "reasons": reasons[:_SHOWN],
        "more": sum(count for _, count in reasons[_SHOWN:]),
    }


def _difference(project: ProjectTests, one: Difference) -> dict[str, Any]:
    return {
        "repo": project.repo,
        "one": one,
        "column": _words(one.column, project),
        "ends": _ENDS[one.outcome],
    }
