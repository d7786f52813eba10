"""What differs between the columns of the report on upstream's tests, and how it is told."""

from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.reports.tests import record as records
from snakedev.reports.tests.compare import compare
from snakedev.reports.tests.known import Known, read_known
from snakedev.reports.tests.page import headline, refuse_differences, table, write_report

HUB = "OSError: cannot reach the hub"


def run(column: str, without: str = "", repo: str = "greeter", **tests: str) -> records.TestsRecord:
    """A run with tests by name, each with its outcome, and after a colon the reason."""
    files = [
        {
            "file": "test_a.py",
            "tests": [
                {
                    "test": f"test_a.py::{name}",
                    "outcome": ended.partition(":")[0],
                    "seconds": 1,
                    "detail": ended.partition(":")[2],
                }
                for name, ended in tests.items()
            ],
        }
    ]
    return records.TestsRecord.model_validate(
        {
            "key": "0" * 16,
            "variant": "cpu",
            "repo": repo,
            "column": column,
            "version": "1.0",
            "python": "3.12.1" if column == "stock" else "3.14.9",
            "without": without,
            "threads": 8 if column == "threads" else 1,
            "files": [] if without else files,
            "left_out": {"test_b.py": "it needs a GPU"},
            "started": "2026-01-01T00:00:00+00:00",
            "seconds": 60,
        }
    )


RUNS = [
    run("stock", one="passed", two="passed", hub=f"failed:{HUB}", odd="xfailed", gone="passed"),
    run("gil", one="passed", two="passed", hub=f"failed:{HUB}", odd="xfailed", gone="passed"),
    run("free", one="passed", two="failed:assert 1", hub=f"failed:{HUB}", odd="passed"),
    run("threads", one="skipped:uses a fixture", two="hung", odd="passed", gone="crashed:stacks"),
]


def known(**more: object) -> dict[str, dict[str, Known]]:
    said = {"columns": ["free", "threads"], "reason": "it counts", **more}
    return {"greeter": {"test_a.py::two": Known.model_validate(said)}}


def test_only_what_passes_on_an_ordinary_python_counts() -> None:
    (project,) = compare(RUNS, {})
    assert project.compared_with == "stock"
    assert (project.runnable, project.same, project.in_threads) == (4, 2, 3)
    assert project.not_runnable == {HUB: 1}
    told = [(one.test.rpartition(":")[2], one.column, one.outcome) for one in project.differences]
    assert told == [
        ("two", "free", "failed"),
        ("gone", "free", "missing"),
        ("two", "threads", "hung"),
        ("gone", "threads", "crashed"),
    ]


def test_what_cannot_run_in_the_first_column_is_compared_from_the_next_on() -> None:
    """Kernels that the stock wheel does not have, and tests for free threading alone."""
    runs = [
        run(
            "stock",
            kernel="failed:no attribute _C",
            for_threads="skipped:the GIL is on",
            hub="failed",
        ),
        run("gil", kernel="passed", for_threads="skipped:the GIL is on", hub="failed"),
        run("free", kernel="failed:assert 1", for_threads="passed", hub="failed"),
        run("threads", kernel="passed", for_threads="crashed:stacks", hub="failed"),
    ]
    (project,) = compare(runs, {})
    told = [(one.test.rpartition(":")[2], one.column) for one in project.differences]
    assert told == [("kernel", "free"), ("for_threads", "threads")]
    assert (project.runnable, project.elsewhere, project.same) == (2, 2, 0)
    assert project.not_runnable == {"failed": 1}


@pytest.mark.parametrize(
    "said",
    [
        "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't",
        "Value error, Invalid repository ID or local directory specified: 'Qwen/Qwen3-Next'",
        "LocalEntryNotFoundError: Cannot find the requested files in the disk cache and outgoing",
        "OfflineModeIsEnabled: Cannot reach it: offline mode is enabled. To disable it, unset",
    ],
)
def test_all_that_ask_the_hub_fail_for_one_reason(said: str) -> None:
    (project,) = compare(
        [run("gil", one="passed", two=f"failed:{said}", three=f"error:{said}")], {}
    )
    assert project.not_runnable == {"it asks the model hub": 2}


def test_without_a_stock_wheel_the_column_with_the_gil_on_is_compared_with() -> None:
    (project,) = compare([run("stock", "no wheel of 1.0"), *RUNS[1:]], {})
    assert project.compared_with == "gil"
    assert project.without == {"stock": "no wheel of 1.0"}
    assert project.runnable == 4


def test_a_known_difference_does_not_fail_and_one_that_vanished_is_told(tmp_path: Path) -> None:
    record = write_report(RUNS, known(), "0" * 16, tmp_path)
    with pytest.raises(UserError) as error:
        refuse_differences(record, Path("known.yaml"))
    lines = str(error.value).splitlines()
    assert lines[0].startswith("greeter: test_a.py::gone is not run (GIL off): no reason is given")
    assert [line for line in lines if "::two" in line] == []
    assert record.vanished == []

    fine = [RUNS[0], run("free", one="passed", two="passed", odd="xfailed", gone="passed")]
    record = write_report(fine, known(), "0" * 16, tmp_path)
    refuse_differences(record, Path("known.yaml"))
    assert record.vanished == ["greeter: test_a.py::two (free)"]
    assert write_report(fine, known(sometimes=True), "0" * 16, tmp_path).vanished == []


def test_the_page_says_why_a_column_is_none(tmp_path: Path) -> None:
    write_report([run("stock", "no wheel of 1.0"), *RUNS[1:]], {}, "0" * 16, tmp_path)
    shown = (tmp_path / "tests.html").read_text()
    assert "none: no wheel of 1.0" in shown
    assert "No ordinary Python has run them" in shown


def test_the_page_says_first_how_many_pass(tmp_path: Path) -> None:
    runs = [*RUNS, *(one.model_copy(update={"repo": "other"}) for one in RUNS[:1])]
    record = write_report(runs, known(), "0" * 16, tmp_path)
    assert headline(record) == (
        "Of 8 tests of 2 projects, 6 pass as on an ordinary Python; 2 do not."
    )
    shown = (tmp_path / "tests.html").read_text()
    assert headline(record) in shown
    assert shown.index("Not known.") < shown.index("it counts")
    assert HUB in shown
    assert "it needs a GPU" in shown
    rows = table(record).set_index(["repo", "test"])
    two = rows.loc[("greeter", "test_a.py::two")]
    assert (two.stock, two.free, two.threads, two.known) == (
        "passed",
        "failed",
        "hung",
        "it counts",
    )
    assert list(rows.loc[("greeter", "test_a.py::hub"), ["runnable", "same"]]) == [False, False]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("greeter: []", "greeter: not a mapping of tests"),
        ("greeter: {a: {reason: b}}", "greeter: a: columns is wrong: give it `columns`"),
        ("greeter: {a: {columns: [of], reason: b}}", "greeter: a: columns.0 is wrong"),
        (
            "greeter: {a: {columns: [gil], reason: b, finding: c.md}}",
            "a: finding: there is no c.md",
        ),
    ],
)
def test_what_is_wrong_in_the_file_of_known_differences(
    tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "known.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as error:
        read_known(file)
    assert told in str(error.value)
    assert read_known(tmp_path / "none.yaml") == {}
