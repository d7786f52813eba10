"""What upstream's own tests of a repo came to in one column of the report."""

from typing import Literal

from snakedev.base.records import Record
from snakedev.config.fields import Variant
from snakedev.config.upstream_tests import Column

Outcome = Literal["passed", "failed", "error", "crashed", "hung", "skipped", "xfailed"]
"""How a test ended: `error` is a failure before or after the test itself, `crashed` that its
process ended, `hung` that it took longer than its limit, `xfailed` that it fails as its authors
expect."""
PASSED: tuple[Outcome, ...] = ("passed", "xfailed")
WORDS: dict[Column, str] = {
    "stock": "ordinary Python, stock wheels",
    "gil": "GIL on",
    "free": "GIL off",
    "threads": "GIL off, in threads",
}
"""What people are told of a column."""


class OneTest(Record):
    """A test, as it ended."""

    test: str
    """As pytest names it: file, class and function, with its parameters."""
    outcome: Outcome
    seconds: float
    detail: str = ""
    """Why, where it did not pass: the line that pytest gives."""


class TestFile(Record):
    """The tests of a file."""

    file: str
    tests: tuple[OneTest, ...] = ()
    problem: str = ""
    """Why they could not be collected, or were not all run."""


class TestsRecord(Record):
    """tests.json: upstream's own tests of a repo, run in one column."""

    key: str
    variant: Variant
    repo: str
    column: Column
    version: str
    """The repo's, as it is installed."""
    built: bool = True
    """Whether its wheel is built here; else it is the package index's, as the lock has it."""
    python: str
    without: str = ""
    """Why nothing was run, where that is so."""
    about: str = ""
    """What is to be known of the wheel, where it is not one of just this variant."""
    threads: int
    files: tuple[TestFile, ...] = ()
    left_out: dict[str, str] = {}
    """Files, folders and tests that do not run, each with the reason."""
    started: str
    seconds: float
    work: dict[str, str] = {}
    """Repos that ran from work folders, with the folders' tree ids."""

    @property
    def tests(self) -> dict[str, OneTest]:
        """All tests by name."""
        return {one.test: one for file in self.files for one in file.tests}

    @property
    def problems(self) -> dict[str, str]:
        """Why files have no tests, or not all of them, by file."""
        return {file.file: file.problem for file in self.files if file.problem}
