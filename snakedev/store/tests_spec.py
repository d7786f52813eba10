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
    version: str
    """The repo's."""
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
    """What counts on an ordinary Python: the locks' digest, the Python that is asked for, and by
    repo the versions of stock wheels."""
    recipe_number: int
    environment_name: str = beside_key()
    locks: tuple[Path, ...] = beside_key()
    """Those of the test environment."""
    built: dict[str, str] = beside_key()
    """The repos whose wheels are built here, with their versions."""
    work: dict[str, str] = key_when_set(default={})
    """The repos that run from work folders, with the folders' tree ids."""

    @property
    def place(self) -> str:
        return f"{self.variant}/{self.repo}/{self.column}"

    def _made_from(self) -> Iterable[str]:
        return (self.source_key, *filter(None, [self.environment_key]))
