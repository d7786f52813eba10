"""What goes into a run of upstream's own tests."""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from snakedev.config.fields import Variant
from snakedev.config.upstream_tests import Column, UpstreamTests
from snakedev.store.spec import Spec, beside_key, key_when_set


class TestsSpec(Spec):
    """Upstream's own tests of a repo, run in one column of the report."""

    kind: ClassVar[str] = "tests"
    shelf: ClassVar[str] = "tests"
    places: ClassVar[str] = "*/*/*"
    record_name: ClassVar[str] = "tests.json"
    variant: Variant
    repo: str
    column: Column
    source_key: str
    """Of the source that the tests are copied from."""
    subdirectory: str
    suite: UpstreamTests
    """What is run, for the selection that is asked for."""
    threads: int
    """In how many threads each test runs."""
    environment_key: str | None = None
    """Of the test environment; None on an ordinary Python."""
    stock: dict[str, str] = key_when_set(default={})
    """What is installed on an ordinary Python: the lock's digest, the repo's version, and the
    Python that is asked for."""
    recipe_number: int
    environment_name: str = beside_key()
    lock: Path = beside_key()
    work: dict[str, str] = key_when_set(default={})
    """The repos that run from work folders, with the folders' tree ids."""

    @property
    def place(self) -> str:
        return f"{self.variant}/{self.repo}/{self.column}"

    def _made_from(self) -> Iterable[str]:
        return (self.source_key, *filter(None, [self.environment_key]))
