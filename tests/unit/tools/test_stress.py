"""The stress harness: what goes wrong in a child is found, named and told, and can be run again."""

import importlib.util
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from snakedev.base.errors import UserError
from snakedev.store.layout import Layout
from tools.stress.record import (
    GilWatch,
    KnownFinding,
    ScenarioRun,
    StressFinding,
    StressRecord,
    judged,
    read_known,
    unseen,
)
from tools.stress.run import (
    FOLDER,
    PROJECT,
    SCENARIOS,
    Installed,
    Request,
    chosen,
    fitting,
    installed,
    summary,
    told,
)
from tools.stress.trial import Place, Task, Trial, fatal_stack

FREE_THREADED = PROJECT / Layout().python
PYTHON = FREE_THREADED if FREE_THREADED.exists() else Path(sys.executable)
"""Crashes, deadlocks and the like do not need a free-threaded one."""
SMALL = Path(__file__).parent


@pytest.fixture
def tried(tmp_path):
    """Runs a small scenario of tests/unit/stress_scenarios in a real child."""

    def run(name: str, *, gil: bool = PYTHON != FREE_THREADED, **more: Any) -> ScenarioRun:
        values = {"seconds": 1.5, "seed": 7} | more
        module = f"stress_scenarios.{name}"
        task = Task(scenario=name, module=module, command=f"again {name}", gil=gil, **values)
        paths = os.pathsep.join([str(FOLDER.parent), str(SMALL)])
        place = Place(PYTHON, tmp_path, tmp_path / "runs", {"PYTHONPATH": paths})
        place.folder.mkdir(exist_ok=True)
        return Trial(task, place, said.append).run()

    said: list[str] = []
    run.said = said
    return run


def test_threads_that_do_no_harm_leave_no_finding(tried):
    run = tried("clean")
    assert run.outcome == "clean"
    assert run.threads == 3
    assert run.rounds >= 2
    assert set(run.operations) == {"count", "look"}
    assert run.gil.looks >= 3
    assert Path(run.log).is_file()


def test_a_seed_gives_the_same_choices(tried, tmp_path):
    seen = []
    for seed in (7, 7, 8):
        tried("clean", seed=seed)
        seen.append(json.loads((tmp_path / "runs" / "choices").read_text()))
    # whether a thread gets there in the time depends on the machine
    first, second, other = seen
    both = first.keys() & second.keys()
    assert both
    assert [first[name] for name in both] == [second[name] for name in both]
    assert not set(first.values()) & set(other.values())


def test_a_crash_in_the_first_operation_is_one_of_the_run(tried):
    (finding,) = tried("crashes_at_once").findings
    assert finding.kind == "crash"
    assert finding.message == "SIGSEGV in run"


def test_a_crash_is_found_with_its_signal_and_stack(tried):
    run = tried("crashes", seconds=8.0)
    (finding,) = run.findings
    assert finding.kind == "crash"
    assert "SIGSEGV" in finding.message
    assert "Fatal Python error: Segmentation fault" in finding.stack
    assert "in read_nothing" in finding.stack
    assert run.outcome == "found"


def test_a_deadlock_is_ended_and_its_stacks_are_kept(tried):
    run = tried("deadlocks", seconds=5.0)
    (finding,) = run.findings
    assert finding.kind == "deadlock"
    assert finding.operation == "take both in 2"
    assert finding.stack.count("in take_both") == 2
    assert any("writing stacks" in line for line in tried.said)


def test_wrong_answers_are_counted_once_with_their_place(tried):
    run = tried("answers_wrongly")
    assert {finding.kind for finding in run.findings} == {"wrong answer"}
    by_operation = {finding.operation: finding for finding in run.findings}
    assert by_operation["count"].count > 1
    assert "in count" in by_operation["count"].stack
    assert by_operation["finish"].message.startswith("counts in all: ")


def test_an_exception_that_one_thread_does_not_get_is_found(tried):
    run = tried("raises", seconds=3.0)
    (finding,) = run.findings
    assert (finding.kind, finding.operation) == ("exception", "put and pop")
    assert finding.message.startswith("KeyError")


def test_memory_and_threads_that_grow_are_found(tried):
    run = tried("leaks", seconds=10.0)
    assert {finding.kind for finding in run.findings} == {"memory", "threads"}


def test_a_child_that_cannot_set_up_is_a_finding_with_its_last_lines(tried):
    run = tried("cannot_start")
    (finding,) = run.findings
    assert (finding.kind, finding.operation) == ("exception", "set up")
    assert finding.message == "RuntimeError: no model here"


def test_the_gil_is_looked_at_all_the_time(tried):
    """A child that should be without the GIL and has it is a finding."""
    run = tried("clean", gil=True)
    assert run.gil.on == run.gil.looks > 0
    assert run.outcome == "clean"
    if PYTHON == FREE_THREADED:
        assert tried("clean").gil.on == 0
    else:
        assert "gil" in {finding.kind for finding in tried("clean", gil=False).findings}


def test_without_a_fatal_error_the_last_lines_are_the_stack():
    lines = [f"line {number}" for number in range(100)]
    assert fatal_stack(lines)[-1] == "line 99"
    assert fatal_stack([*lines, "Fatal Python error: Aborted", "stack"]) == [
        "Fatal Python error: Aborted",
        "stack",
    ]


def finding(kind: str = "wrong answer", message: str = "tokens differ") -> StressFinding:
    return StressFinding(kind=kind, operation="encode", message=message, stack="", count=3)


KNOWN = KnownFinding(
    scenario="tokenizer", kind="wrong answer", matches="^encode: tokens", document="docs/a.md"
)


def run_of(*findings: StressFinding, scenario: str = "tokenizer") -> ScenarioRun:
    return ScenarioRun(
        scenario=scenario,
        seed=1,
        command=f"python -m tools.stress {scenario} --seed 1",
        log="results/stress/x.log",
        threads=8,
        setup_seconds=1.0,
        seconds=5.0,
        rounds=9,
        operations={"encode": 100},
        gil=GilWatch(looks=10, on=0, cores_busy=1.7),
        findings=findings,
    )


def record_of(*runs: ScenarioRun) -> StressRecord:
    return StressRecord(
        started="2026-01-01T00:00:00+00:00",
        seed=1,
        minutes=5,
        gil="off",
        environment="results/envs/run-cpu",
        python="3.14.9",
        packages={},
        machine={},
        runs=runs,
        unseen=unseen(runs, [KNOWN]),
        seconds=12.0,
    )


def test_a_known_finding_does_not_fail_a_run():
    run = run_of(*judged("tokenizer", [finding()], [KNOWN]))
    assert run.outcome == "known"
    assert not record_of(run).failed
    assert "  known, docs/a.md: wrong answer in encode (3 times): tokens differ" in told(run)


@pytest.mark.parametrize(
    "other", [finding(kind="crash"), finding(message="a crash"), finding(message="new tokens")]
)
def test_a_finding_of_another_kind_or_message_fails_it(other):
    run = run_of(*judged("tokenizer", [finding(), other], [KNOWN]))
    assert run.outcome == "found"
    assert record_of(run).failed
    assert "  again: python -m tools.stress tokenizer --seed 1" in told(run)


def test_a_known_finding_that_does_not_show_is_said():
    lines = summary(record_of(run_of()))
    assert "not seen this time: tokenizer: docs/a.md" in lines
    assert "the GIL was on in 0 of 10 looks" in lines
    # what did not run cannot show
    assert record_of(run_of(scenario="server")).unseen == ()


def test_the_known_findings_are_described():
    for known in read_known(FOLDER / "known.yaml", PROJECT):
        assert known.scenario in SCENARIOS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- scenario: tokenizer\n", "entry 1 is no known finding"),
        ("- kind: crash\n  kind: race\n", "known.yaml:2: the key 'kind' stands here and in line 1"),
        (
            "- {scenario: a, kind: crash, matches: '(', document: README.md}\n",
            "entry 1 is no known finding",
        ),
        ("- {scenario: a, kind: crash, matches: a, document: none.md}\n", "there is no none.md"),
    ],
)
def test_a_wrong_list_of_known_findings_is_one_line(tmp_path, text, message):
    path = tmp_path / "known.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_known(path, PROJECT)


def test_each_scenario_is_a_module_of_its_own():
    names = {path.stem for path in (FOLDER / "scenarios").glob("*.py")} - {"__init__"}
    assert names == set(SCENARIOS)


def test_a_scenario_that_is_not_there_is_named():
    assert chosen(["server", "server"]) == ["server"]
    assert chosen([]) == list(SCENARIOS)
    with pytest.raises(UserError, match="there is no scenario serve: the scenarios are "):
        chosen(["serve"])


def test_scenarios_of_a_package_that_is_not_there_are_left_out():
    asked = Request(PROJECT / "results/envs/run-cpu", Path("/models/m"), chosen([]), 5, 2.0)
    said: list[str] = []
    left = fitting(asked, Installed("3.14.9", {"vllm": "0.33.0"}), said.append)
    assert said == [
        "without triton_hashes, triton_kernels, triton_native: results/envs/run-cpu has no triton"
    ]
    assert [*left.scenarios] == [name for name in SCENARIOS if not name.startswith("triton_")]
    only = fitting(asked, Installed("3.14.9", {"triton": "3.8.0"}), said.append)
    assert [*only.scenarios] == ["triton_hashes", "triton_kernels", "triton_native"]
    with pytest.raises(UserError, match="run-cpu has no triton: name the folder of a run env"):
        named = replace(asked, scenarios=["triton_native"])
        fitting(named, Installed("3.14.9", {"vllm": "0.33.0"}), said.append)


def test_the_command_that_runs_a_scenario_again_has_all_that_matters():
    request = Request(PROJECT / "results/envs/run-cpu", Path("/models/m"), ["server"], 5, 2.0)
    assert request.command("server") == (
        "python -m tools.stress server --seed 5 --environment results/envs/run-cpu "
        "--model /models/m --minutes 2.00"
    )
    module = request.command("server").split()[2]
    assert importlib.util.find_spec(f"{module}.__main__")


def test_an_environment_that_cannot_be_used_is_one_line(tmp_path):
    with pytest.raises(UserError, match="make an environment with `snakemake env_cpu`"):
        installed(tmp_path / "bin" / "python")
    with pytest.raises(UserError, match="is an ordinary Python"):
        installed(Path(sys.executable))
