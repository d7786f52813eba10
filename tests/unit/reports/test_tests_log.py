"""What is read of pytest's reports: outcomes, crashes and hangs, and which files are whole."""

import json

from snakedev.reports.tests.log import Session, ends


def report(test: str, outcome: str = "passed", when: str = "call", **more: object) -> str:
    said = {"nodeid": f"tests/test_{test}", "outcome": outcome, "when": when, "duration": 1.0}
    return json.dumps(
        {"$report_type": "TestReport", "longrepr": None, "worker_id": "gw0"} | said | more
    )


def failed(test: str, why: str, when: str = "call", **more: object) -> str:
    return report(test, "failed", when, longrepr={"reprcrash": {"message": why}}, **more)


def crashed(test: str, worker: str = "gw0") -> str:
    said = f"worker '{worker}' crashed while running 'tests/test_{test}'"
    return report(test, "failed", "???", longrepr=said, worker_id=worker)


FINISHED = json.dumps({"$report_type": "SessionFinish", "exitstatus": 1})


def test_a_test_is_what_its_worst_part_is() -> None:
    lines = [
        report("a.py::one", when="setup"),
        failed("a.py::one", "AssertionError: assert 1 == 2\n  more"),
        report("a.py::one", when="teardown"),
        failed("a.py::two", "no database", "setup"),
        report("a.py::two", when="teardown"),
        report("a.py::three", "skipped", longrepr=["a.py", 3, "Skipped: no GPU"]),
        report("a.py::four", "skipped", wasxfail="reason: known", longrepr=None),
        report("a.py::four", when="teardown"),
        report("a.py::five"),
        failed("a.py::five", "leaked", "teardown"),
        FINISHED,
    ]
    tests = Session(lines).file("tests/test_a.py").tests
    assert [(one.outcome, one.detail) for one in tests] == [
        ("failed", "AssertionError: assert 1 == 2 more"),
        ("error", "no database"),
        ("skipped", "no GPU"),
        ("xfailed", ""),
        ("error", "leaked"),
    ]
    assert tests[0].seconds == 3.0


def test_workers_that_end_crashed_or_hung() -> None:
    printed = ["F[gw0] node down: Not properly terminated", "..s.++++ Timeout ++++", "  File a"]
    printed += ["++++++ Timeout ++++++", "[gw1] node down: Not properly terminated"]
    lines = [crashed("a.py::aborts"), crashed("a.py::sleeps", "gw1"), FINISHED]
    tests = Session(lines, ends(printed)).file("tests/test_a.py").tests
    assert [one.outcome for one in tests] == ["crashed", "hung"]


def test_files_of_a_session_that_was_killed_are_whole_when_their_worker_went_on() -> None:
    lines = [
        report("a.py::one"),
        report("b.py::one", worker_id="gw1"),
        report("c.py::one"),
        crashed("b.py::two", "gw1"),
        report("b.py::three", worker_id="gw2"),
    ]
    assert Session(lines).whole == {"tests/test_a.py"}
    assert Session([*lines, report("d.py::one", worker_id="gw2")]).whole == {
        "tests/test_a.py",
        "tests/test_b.py",
    }
    assert Session([*lines, FINISHED]).whole == {f"tests/test_{name}.py" for name in "abc"}
    # cut off in the middle of a line
    assert Session([*lines, report("d.py::one")[:40]]).whole == {"tests/test_a.py"}


def test_files_that_cannot_be_imported_and_such_that_skip_themselves() -> None:
    collect = {"$report_type": "CollectReport"}
    lines = [
        json.dumps(
            collect
            | {
                "nodeid": "tests/test_a.py",
                "outcome": "failed",
                "longrepr": "tests/test_a.py:1: in <module>\nE   ImportError: no scipy",
            }
        ),
        json.dumps(
            collect
            | {
                "nodeid": "tests/test_b.py",
                "outcome": "skipped",
                "longrepr": ["tests/test_b.py", 1, "Skipped: could not import 'jax'"],
            }
        ),
        FINISHED,
    ]
    session = Session(lines)
    assert session.file("tests/test_a.py").problem == "ImportError: no scipy"
    (skipped,) = session.file("tests/test_b.py").tests
    assert (skipped.outcome, skipped.detail) == ("skipped", "could not import 'jax'")
