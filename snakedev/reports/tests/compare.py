"""What differs between the columns: a test that passes in the first, and not in another."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from snakedev.base.records import Record
from snakedev.config.upstream_tests import COLUMNS, Column
from snakedev.reports.tests.known import Known
from snakedev.reports.tests.record import PASSED, OneTest, TestsRecord

# What its client, transformers and vLLM say where they may not ask it.
_ASKS_HUB = re.compile(
    r"huggingface\.co\b|HF_HUB_OFFLINE|[Oo]ffline ?[Mm]ode|outgoing traffic has been disabled"
    r"|Invalid repository ID or local directory|find the requested files in the (disk cache|local)"
)


class Difference(Record):
    """A test that passes in the column that others are compared with, and not in one of them."""

    test: str
    column: Column
    outcome: str
    """How it ended there: an outcome, or `missing` for one that was not run."""
    detail: str
    known: Known | None = None


class ProjectTests(Record):
    """The tests of a repo, compared."""

    variant: str
    repo: str
    version: str
    built: bool
    """Whether its wheel is built here, or the package index's."""
    compared_with: Column
    """The column that the others are compared with: the stock wheel where there is one."""
    pythons: dict[str, str]
    """By column: the Python's version."""
    without: dict[str, str]
    """Columns in which nothing was run, with the reason."""
    counts: dict[str, dict[str, int]]
    """By column: how many tests ended how."""
    seconds: dict[str, float]
    runnable: int
    """Tests that pass in the column that others are compared with."""
    same: int
    """Those of them that no other column has a difference in."""
    in_threads: int
    """Those of them that ran in many threads."""
    differences: tuple[Difference, ...]
    not_runnable: dict[str, int]
    """Why tests fail in the column that others are compared with, and how many do for it."""
    problems: dict[str, str]
    """Files without an answer in that column, with the reason."""
    left_out: dict[str, str]
    vanished: tuple[str, ...]
    """What is said to be known and does not differ."""


def compare(
    runs: Sequence[TestsRecord], known: Mapping[str, Mapping[str, Known]]
) -> list[ProjectTests]:
    """Compare the columns of each repo."""
    projects: dict[tuple[str, str], dict[Column, TestsRecord]] = {}
    for run in runs:
        projects.setdefault((run.variant, run.repo), {})[run.column] = run
    return [_project(columns, known.get(repo, {})) for (_, repo), columns in projects.items()]


def _project(columns: Mapping[Column, TestsRecord], known: Mapping[str, Known]) -> ProjectTests:
    ran = {name: columns[name] for name in COLUMNS if name in columns and not columns[name].without}
    if not ran:
        first = next(iter(columns.values()))
        base: Column = first.column
    else:
        base = next(iter(ran))
        first = ran[base]
    passing = {test: one for test, one in first.tests.items() if one.outcome in PASSED}
    differences = [
        Difference(
            test=test,
            column=name,
            outcome=other.outcome if other else "missing",
            detail=other.detail if other else run.problems.get(test.partition("::")[0], ""),
            known=entry if (entry := known.get(test)) and name in entry.columns else None,
        )
        for name, run in ran.items()
        if name != base
        for test in passing
        if _differs(name, other := run.tests.get(test))
    ]
    differing = {one.test for one in differences}
    threads = ran.get("threads")
    ours = ran.get("free") or ran.get("gil") or first
    return ProjectTests(
        variant=first.variant,
        repo=first.repo,
        version=ours.version,
        built=ours.built,
        compared_with=base,
        pythons={name: run.python for name, run in ran.items()},
        without={name: run.without for name, run in columns.items() if run.without},
        counts={
            name: dict(Counter(one.outcome for one in run.tests.values()))
            for name, run in ran.items()
        },
        seconds={name: run.seconds for name, run in ran.items()},
        runnable=len(passing),
        same=len(passing) - len(differing),
        in_threads=sum(1 for test in passing if threads and _ran(threads.tests.get(test))),
        differences=tuple(differences),
        not_runnable=_reasons(first.tests.values()),
        problems={file: _reason(why) for file, why in first.problems.items()},
        left_out={path: why for run in columns.values() for path, why in run.left_out.items()},
        vanished=tuple(_vanished(known, ran)),
    )


def _differs(column: Column, other: OneTest | None) -> bool:
    """Whether a test that passes elsewhere does not here; in threads, it may be left out."""
    if other is None:
        return column != "threads"
    if column == "threads" and other.outcome == "skipped":
        return False
    return other.outcome not in PASSED


def _ran(one: OneTest | None) -> bool:
    return one is not None and one.outcome != "skipped"


def _vanished(known: Mapping[str, Known], ran: Mapping[Column, TestsRecord]) -> Iterable[str]:
    for test, entry in known.items():
        for column in entry.columns:
            one = ran[column].tests.get(test) if column in ran else None
            if one and one.outcome in PASSED and not entry.sometimes:
                yield f"{test} ({column})"


def _reasons(tests: Iterable[OneTest]) -> dict[str, int]:
    """Why tests fail, the most frequent first."""
    found = Counter(
        _reason(one.detail or one.outcome)
        for one in tests
        if one.outcome not in (*PASSED, "skipped")
    )
    return dict(found.most_common())


def _reason(detail: str) -> str:
    """Why a test or file fails, in a line; all that ask the hub do for one reason."""
    return "it asks the model hub" if _ASKS_HUB.search(detail) else detail
