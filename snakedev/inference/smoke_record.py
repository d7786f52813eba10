"""What a smoke run's record holds, and the checks that a run has to pass."""

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from snakedev.base.errors import UserError
from snakedev.base.records import Record
from snakedev.config.reports import Prompt

ROLES = ("front end", "engine core", "worker")
"""The processes of an engine; on a single GPU the engine core does the worker's part."""
# Lines of vLLM's log and of snakedev/inside/answer.py, in their order: where a phase ends.
MILESTONES = (
    (re.compile(r"snakedev: imported vllm"), "start Python, import vLLM"),
    (re.compile(r"Initializing a V1 LLM engine"), "configure, start the engine core"),
    (re.compile(r"Starting to load model"), "start the workers"),
    (re.compile(r"Warming up model|Model loading took"), "load the weights"),
    (re.compile(r"Warming up done|init engine \(profile"), "warm up"),
    (re.compile(r"snakedev: engine ready"), "finish the engine"),
    (re.compile(r"snakedev: first token"), "first token"),
)


class Check(Record):
    """One thing that had to hold."""

    name: str
    passed: bool
    detail: str


class Answer(Record):
    """What a prompt got."""

    prompt: str
    expect: str | None
    text: str
    prompt_tokens: int
    tokens: int
    finish_reason: str | None
    seconds: float


class Phase(Record):
    """A part of the time from start to first token."""

    name: str
    seconds: float


class ThroughputResult(Record):
    """The timed part."""

    prompts: int
    tokens: int
    """New tokens of a round, all prompts together."""
    rounds: tuple[float, ...]
    """Seconds of each round."""

    @property
    def tokens_per_second(self) -> float:
        """New tokens in a second, in the median round."""
        return self.tokens / median(self.rounds)


class ProcessState(Record):
    """What a process of the engine said of itself when the work was done."""

    role: str
    pid: int
    free_threaded: bool
    gil_enabled: bool
    gil_setting: str | None
    """PYTHON_GIL as this process saw it: `0` keeps the GIL off whatever a module asks for."""
    threads: int
    peak_rss: int
    """Bytes."""
    extensions: int
    """How many extension modules it had loaded."""


class SmokeRecord(Record):
    """smoke.json: one inference run, and whether it is as it should be."""

    key: str
    variant: str
    model: str
    passed: bool
    checks: tuple[Check, ...]
    answers: tuple[Answer, ...]
    phases: tuple[Phase, ...]
    """From the start of Python to the first token."""
    throughput: ThroughputResult | None
    peak_memory: int
    """Bytes of all processes together, shared pages counted once."""
    processes: tuple[ProcessState, ...]
    gil_forced: bool
    """Whether PYTHON_GIL=0 was set: the GIL is off then, whatever a module asks for."""
    versions: dict[str, str]
    machine: dict[str, str]
    engine: dict[str, Any]
    """What vLLM's engine was made with."""
    variables: dict[str, str]
    """The settings among the variables of the run."""
    failure: tuple[str, ...]
    """The lines of the engine's log that say why, when it crashed."""
    started: str
    """When, in UTC."""
    seconds: float
    work: dict[str, str] = {}
    """Repos that ran from work folders, with the folders' tree ids."""

    @property
    def answer_checks(self) -> tuple[Check, ...]:
        """The checks of the answers, in the order of the prompts."""
        return self.checks[1:-1]

    @property
    def start_to_first_token(self) -> float | None:
        """Seconds from the start of Python to the first token; None when there was none."""
        complete = self.phases and self.phases[-1].name == MILESTONES[-1][1]
        return sum(phase.seconds for phase in self.phases) if complete else None


def judge(
    problem: str | None,
    prompts: Sequence[Prompt],
    answers: Sequence[Answer],
    processes: Sequence[ProcessState],
    roles: Sequence[str] = ROLES,
) -> tuple[Check, ...]:
    """The checks: the engine ran to its end, answered as expected, and the GIL stayed off.

    A process of each of the ``roles`` has to have said so.
    """
    ran = Check(name="engine", passed=problem is None, detail=problem or "ran to its end")
    return (
        ran,
        *map(_judge_answer, prompts, _padded(answers, len(prompts))),
        _judge_gil(processes, roles),
    )


def phases(events: Sequence[tuple[int, float]]) -> tuple[Phase, ...]:
    """Durations between the milestones that were seen, each under the name of its end."""
    return tuple(
        Phase(name=MILESTONES[number][1], seconds=round(at - before, 2))
        for (_, before), (number, at) in pairwise(events)
    )


def verdict(records: Sequence[SmokeRecord]) -> None:
    """Raise UserError that names every failed check of the runs, if there is one."""
    lines = [
        f"smoke {record.variant}/{record.model}: {check.name}: {check.detail}"
        for record in records
        for check in record.checks
        if not check.passed
    ]
    if lines:
        raise UserError("\n".join(lines))


def _padded(answers: Sequence[Answer], count: int) -> list[Answer | None]:
    return [*answers, *[None] * (count - len(answers))]


def _judge_answer(prompt: Prompt, answer: Answer | None) -> Check:
    name = f"answer to {_short(prompt.text)!r}"
    if answer is None:
        return Check(name=name, passed=False, detail="there was none")
    text = answer.text.strip()
    if not text:
        return Check(name=name, passed=False, detail="it is empty")
    if prompt.expect is not None and prompt.expect not in text:
        detail = f"{_short(text)!r} does not hold {prompt.expect!r}"
        return Check(name=name, passed=False, detail=detail)
    return Check(name=name, passed=True, detail=repr(_short(text)))


def _judge_gil(processes: Sequence[ProcessState], roles: Sequence[str]) -> Check:
    silent = [role for role in roles if not any(state.role.startswith(role) for state in processes)]
    back = [state.role for state in processes if state.gil_enabled]
    if silent:
        return Check(name="GIL", passed=False, detail=f"no answer from: {', '.join(silent)}")
    if back:
        where = ", ".join(back)
        why = "`snakemake gil_report` says which module turned it on"
        return Check(name="GIL", passed=False, detail=f"it is on in: {where} ({why})")
    roles = ", ".join(state.role for state in processes)
    return Check(name="GIL", passed=True, detail=f"off in {roles}")


def _short(text: str, length: int = 48) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
