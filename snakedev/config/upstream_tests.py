"""Upstream's own tests: which of a repo are run, and in which of the report's columns."""

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, JsonValue, StringConstraints

from snakedev.config.fields import Count, Name, Section, Subdirectory, Variant, expanded

Column = Literal["stock", "gil", "free", "threads"]
COLUMNS: tuple[Column, ...] = get_args(Column)
Need = Literal["hub", "gpu", "minutes"]
_Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_HubName = Annotated[str, StringConstraints(pattern=r"^[^/\s]+/[^/\s]+$")]
# A file, a folder, or a test as pytest names it.
_Test = Annotated[str, StringConstraints(pattern=r"^[^/\s@-][^\n]*$")]
# What runs in one session of pytest.
Entry = _Test | Annotated[tuple[_Test, ...], Field(min_length=1)]


class UpstreamTests(Section):
    """The tests that a repo brings, as `snakemake test_report` runs them."""

    copied: Annotated[tuple[Subdirectory, ...], Field(min_length=1)] = ("tests",)
    """Files and folders of the source that they need. They are copied away, so that nothing but the
    installed wheel is tested."""
    folder: Subdirectory = "."
    """Where pytest runs, as a folder of the source; what follows is named from there."""
    paths: Annotated[tuple[Entry, ...], Field(min_length=1)]
    """Files and folders of tests. What one entry names, alone or as a list, runs in one session, as
    upstream's jobs do."""
    quick: tuple[Entry, ...] = ()
    """Those that `tests: quick` runs in their place."""
    left_out: dict[_Test, _Said] = {}
    """Files, folders and tests that do not run, each with the reason."""
    not_in_threads: dict[_Test, _Said] = {}
    """Those that do not run in several threads at once, each with the reason."""
    needs: dict[_Test, Need] = {}
    """What files, folders and tests need: the `hub` (they run where test_report.hub is set), a
    `gpu` (they do on its variants), or `minutes` (they do not with `tests: quick`)."""
    hub: dict[_HubName, dict[str, JsonValue]] = {}
    """Models of the hub that tests want no more of than the configuration, with what their
    config.json says: tests have it without asking. Nothing else is there, and no weights; where
    test_report.hub is set, the hub's own count."""
    seconds: Count = 120
    """How long a test may take; one that takes longer is stopped, with all stacks in the log."""
    minutes: Count = 60
    """How long a session may take."""
    memory_gb: Annotated[float, Field(gt=0)] = 1.0
    """Memory for one of the processes that run tests: with the cores, it limits how many do."""
    variables: dict[str, str] = {}
    """Variables that they see."""


class TestReport(Section):
    """What `snakemake test_report` runs of upstream's own tests."""

    tests: Literal["full", "quick"] = "full"
    """All of `repos.NAME.tests.paths`, or `repos.NAME.tests.quick`."""
    variants: tuple[Variant, ...] = ("cpu",)
    repos: tuple[Name, ...] = ()
    """Those whose tests are run (empty: all that are built and have tests)."""
    columns: Annotated[tuple[Column, ...], Field(min_length=1)] = COLUMNS
    """Where they are run: on an ordinary Python with the stock wheels of the same versions; then
    here with the GIL on, with it off, and with it off and each test in many threads at once."""
    threads: Annotated[int, Field(ge=2)] = 8
    """In how many threads."""
    hub: bool = False
    """Whether tests may ask the model hub."""
    python: Annotated[str, StringConstraints(min_length=1), AfterValidator(expanded)] | None = None
    """The ordinary Python: a version such as `3.12`, or a path (null: the one that runs
    Snakemake)."""
