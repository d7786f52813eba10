"""What differs between the columns: a test that passes in one, and not in a later one.

The first is an ordinary Python. Where a test cannot pass there (its wheel has no kernels for it, or
it is one for free threading alone), the first column that it passes in takes its place.
"""

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence

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
    """A test that passes in a column, and not in a later one."""

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
    """The first column in which anything was run: the stock wheel where there is one."""
    about: str = ""
    """What is to be known of the stock wheel."""
    pythons: dict[str, str]
    """By column: the Python's version."""
    without: dict[str, str]
    """Columns in which nothing was run, with the reason."""
    counts: dict[str, dict[str, int]]
    """By column: how many tests ended how."""
    seconds: dict[str, float]
    runnable: int
    """Tests that pass in a column at least."""
    elsewhere: int
    """Those of them that do not in the first, and are compared from a later one on."""
    same: int
    """Those that no column has a difference in."""
    in_threads: int
    """Those of them that ran in many threads."""
    differences: tuple[Difference, ...]
    not_runnable: dict[str, int]
    """Why tests fail that pass in no column, and how many do for it."""
    problems: dict[str, str]
    """Files no test of which passes in any, and that had none to run in the first, or could not
    run all, with the reason."""
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
    order = list(ran)
    bases = _bases(ran)
    passing = {test.partition("::")[0] for test in bases}
    differences = [
        Difference(
            test=test,
            column=name,
            outcome=other.outcome if other else "missing",
            detail=other.detail if other else run.problems.get(test.partition("::")[0], ""),
            known=entry if (entry := known.get(test)) and name in entry.columns else None,
        )
        for place, (name, run) in enumerate(ran.items())
        for test, passes in bases.items()
        if order.index(passes) < place and _differs(name, other := run.tests.get(test))
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
        about=columns["stock"].about if "stock" in ran else "",
        pythons={name: run.python for name, run in ran.items()},
        without={name: run.without for name, run in columns.items() if run.without},
        counts={
            name: dict(Counter(one.outcome for one in run.tests.values()))
            for name, run in ran.items()
        },
        seconds={name: run.seconds for name, run in ran.items()},
        runnable=len(bases),
        elsewhere=sum(passes != base for passes in bases.values()),
        same=len(bases) - len(differing),
        in_threads=sum(1 for test in bases if threads and _ran(threads.tests.get(test))),
        differences=tuple(differences),
        not_runnable=_reasons(_nowhere(ran.values(), bases)),
        problems={f: _reason(why) for f, why in first.problems.items() if f not in passing},
        left_out={path: why for run in columns.values() for path, why in run.left_out.items()},
        vanished=tuple(_vanished(known, ran)),
    )


def _bases(ran: Mapping[Column, TestsRecord]) -> dict[str, Column]:
    """By test, the first column that it passes in."""
    found: dict[str, Column] = {}
    for name, run in ran.items():
        for test, one in run.tests.items():
            if one.outcome in PASSED:
                found.setdefault(test, name)
    return found


def _nowhere(runs: Iterable[TestsRecord], passing: Container[str]) -> Iterable[OneTest]:
    """The tests that pass in no column, as they end in the first that has them."""
    found: dict[str, OneTest] = {}
    for run in runs:
        for test, one in run.tests.items():
            if test not in passing:
                found.setdefault(test, one)
    return found.values()


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
