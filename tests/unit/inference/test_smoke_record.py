"""Smoke records: every way in which a run can fail is noticed and named."""

from typing import Any

import pytest

from snakedev.base.errors import UserError
from snakedev.config.reports import Prompt
from snakedev.inference.smoke_record import (
    MILESTONES,
    Answer,
    Check,
    Phase,
    ProcessState,
    SmokeRecord,
    ThroughputResult,
    judge,
    phases,
    verdict,
)

CAPITAL = Prompt(text="The capital of France is", expect="Paris")
OPEN = Prompt(text="Once upon a time")
ROLES = ("front end", "engine core", "worker 0", "worker 1")


def answer(text: str, prompt: Prompt = CAPITAL) -> Answer:
    return Answer(
        prompt=prompt.text,
        expect=prompt.expect,
        text=text,
        prompt_tokens=5,
        tokens=8,
        finish_reason="length",
        seconds=0.5,
    )


def process(role: str, **more: Any) -> ProcessState:
    state = {
        "role": role,
        "pid": 1,
        "free_threaded": True,
        "gil_enabled": False,
        "gil_setting": "0",
        "threads": 4,
        "peak_rss": 10**9,
        "extensions": 100,
    }
    return ProcessState(**{**state, **more})


GOOD = {
    "problem": None,
    "prompts": (CAPITAL, OPEN),
    "answers": (answer(" Paris, of course."), answer(" there was a king.", OPEN)),
    "processes": tuple(map(process, ROLES)),
}


def judged(**more: Any) -> dict[str, Check]:
    """The checks of a good run with something changed, by name."""
    return {check.name: check for check in judge(**{**GOOD, **more})}


def record(checks: tuple[Check, ...], **more: Any) -> SmokeRecord:
    values = {
        "key": "0" * 16,
        "variant": "cpu",
        "model": "tiny",
        "passed": all(check.passed for check in checks),
        "checks": checks,
        "answers": (),
        "phases": (),
        "throughput": None,
        "peak_memory": 0,
        "processes": (),
        "gil_forced": False,
        "versions": {},
        "machine": {},
        "engine": {},
        "variables": {},
        "failure": (),
        "started": "2024-01-01T00:00:00+00:00",
        "seconds": 1.0,
    }
    return SmokeRecord(**{**values, **more})


def failed(**more: Any) -> Check:
    """The one check that fails; the verdict names it, and nothing else."""
    checks = judge(**{**GOOD, **more})
    (check,) = (check for check in checks if not check.passed)
    with pytest.raises(UserError) as raised:
        verdict([record(judge(**GOOD)), record(checks)])
    assert str(raised.value) == f"smoke cpu/tiny: {check.name}: {check.detail}"
    return check


def test_a_good_run_passes_every_check():
    checks = judged()
    assert all(check.passed for check in checks.values())
    assert list(checks) == [
        "engine",
        "answer to 'The capital of France is'",
        "answer to 'Once upon a time'",
        "GIL",
    ]
    assert checks["answer to 'The capital of France is'"].detail == "'Paris, of course.'"
    assert checks["GIL"].detail == "off in front end, engine core, worker 0, worker 1"
    verdict([record(judge(**GOOD))])


def test_an_engine_that_did_not_end_well_fails():
    check = failed(problem="python ended with signal SIGSEGV")
    assert (check.name, check.detail) == ("engine", "python ended with signal SIGSEGV")


def test_an_answer_without_what_was_expected_fails():
    check = failed(answers=(answer(" Lyon, I think."), GOOD["answers"][1]))
    assert check.name == "answer to 'The capital of France is'"
    assert check.detail == "'Lyon, I think.' does not hold 'Paris'"


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_answer_fails_also_where_any_would_do(text: str):
    check = failed(answers=(GOOD["answers"][0], answer(text, OPEN)))
    assert (check.name, check.detail) == ("answer to 'Once upon a time'", "it is empty")


def test_an_answer_that_never_came_fails():
    check = failed(answers=GOOD["answers"][:1])
    assert (check.name, check.detail) == ("answer to 'Once upon a time'", "there was none")


@pytest.mark.parametrize("role", ROLES)
def test_one_process_with_the_gil_on_fails(role: str):
    states = tuple(process(name, gil_enabled=name == role) for name in ROLES)
    check = failed(processes=states)
    assert check.name == "GIL"
    assert check.detail.startswith(f"it is on in: {role} (`snakemake gil_report` says which")


@pytest.mark.parametrize("role", ["front end", "engine core", "worker"])
def test_a_process_that_said_nothing_fails(role: str):
    states = tuple(process(name) for name in ROLES if not name.startswith(role))
    check = failed(processes=states)
    assert (check.name, check.detail) == ("GIL", f"no answer from: {role}")


def test_on_one_gpu_the_engine_core_does_the_worker_s_part():
    processes = tuple(map(process, ROLES[:2]))
    assert judged(processes=processes, roles=ROLES[:2])["GIL"].passed
    silent = judged(processes=processes[:1], roles=ROLES[:2])["GIL"]
    assert silent.detail == "no answer from: engine core"


def test_a_run_that_crashed_at_once_fails_in_everything():
    checks = judged(problem="python ended with exit status 1", answers=(), processes=())
    assert not any(check.passed for check in checks.values())
    assert checks["GIL"].detail == "no answer from: front end, engine core, worker"


def test_the_verdict_names_every_failed_check_of_every_run():
    bad = judge(**{**GOOD, "problem": "it did not end", "answers": ()})
    gil = judge(**{**GOOD, "processes": ()})
    with pytest.raises(UserError) as raised:
        verdict([record(bad), record(judge(**GOOD)), record(gil, model="other")])
    assert str(raised.value).splitlines() == [
        "smoke cpu/tiny: engine: it did not end",
        "smoke cpu/tiny: answer to 'The capital of France is': there was none",
        "smoke cpu/tiny: answer to 'Once upon a time': there was none",
        "smoke cpu/other: GIL: no answer from: front end, engine core, worker",
    ]


def test_long_prompts_and_answers_are_shortened_to_a_line():
    long = Prompt(text="Tell me\n" + "a long story " * 20, expect="wolf")
    _, check, _ = judge(**{**GOOD, "prompts": (long,), "answers": (answer("sheep\n" * 50, long),)})
    assert "\n" not in check.name + check.detail


def test_checks_of_answers_are_those_of_the_prompts_in_their_order():
    made = record(judge(**GOOD), answers=GOOD["answers"])
    assert [check.name for check in made.answer_checks] == [
        f"answer to {prompt.text!r}" for prompt in GOOD["prompts"]
    ]


def test_phases_end_where_the_log_says_so():
    events = [(-1, 100.0), *((number, 102.5 + number) for number in range(len(MILESTONES)))]
    found = phases(events)
    assert [phase.name for phase in found] == [name for _, name in MILESTONES]
    assert found[0] == Phase(name="start Python, import vLLM", seconds=2.5)
    made = record(judge(**GOOD), phases=found)
    assert made.start_to_first_token == events[-1][1] - 100.0


def test_a_milestone_that_was_not_seen_counts_to_the_next():
    assert phases([(-1, 0.0), (0, 2.0), (2, 7.0)]) == (
        Phase(name="start Python, import vLLM", seconds=2.0),
        Phase(name="start the workers", seconds=5.0),
    )


@pytest.mark.parametrize("events", [[(-1, 0.0)], [(-1, 0.0), (0, 2.0), (3, 9.0)]])
def test_a_start_that_came_to_no_token_has_no_time_to_it(events: list[tuple[int, float]]):
    assert record(judge(**GOOD), phases=phases(events)).start_to_first_token is None


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("snakedev: imported vllm", "start Python, import vLLM"),
        ("(EngineCore pid=7) INFO x Initializing a V1 LLM engine (v0.26.0)", "configure"),
        ("(Worker pid=8) INFO x Starting to load model /models/tiny...", "start the workers"),
        ("(EngineCore pid=7) INFO x Model loading took 0.25 GiB memory and 0.3 seconds", "load"),
        ("(EngineCore pid=7) INFO x init engine (profile, create kv cache, warmup", "warm up"),
        ("snakedev: first token", "first token"),
    ],
)
def test_milestones_are_found_in_lines_as_vllm_writes_them(line: str, name: str):
    (found,) = (label for pattern, label in MILESTONES if pattern.search(line))
    assert found.startswith(name)


def test_the_median_round_counts():
    timed = ThroughputResult(prompts=4, tokens=100, rounds=(1.0, 50.0, 2.0))
    assert timed.tokens_per_second == 50.0


def test_a_record_is_read_back_as_it_was(tmp_path):
    made = record(judge(**GOOD), answers=GOOD["answers"], processes=GOOD["processes"])
    made.write(tmp_path / "smoke.json")
    assert SmokeRecord.read(tmp_path / "smoke.json") == made
