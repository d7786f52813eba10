"""Smoke runs: inference that proves the wheels, and the checks on what came of it.

A failed check is no failed job: the record says `passed: false`, the report shows it, and the
verdict ends the workflow with a failure after that.
"""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from snakedev.base.cpu import cpu_flags
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.environments.run_variables import run_variables
from snakedev.inference.engine import (
    ANSWER,
    engine_arguments,
    probe_variables,
    request,
    settings,
    toolkit_in,
)
from snakedev.inference.model import sound_model
from snakedev.inference.smoke_record import (
    MILESTONES,
    ROLES,
    Answer,
    ProcessState,
    SmokeRecord,
    ThroughputResult,
    judge,
    phases,
)
from snakedev.machine.facts import machine_facts
from snakedev.store.layout import Layout
from snakedev.store.publish import made_once, published
from snakedev.store.specs import SmokeSpec

_LIMIT_SECONDS = 1800
"""A run that takes longer hangs, and is ended."""
_MEMORY_EVERY_SECONDS = 5.0
_TIMING = ("snakedev: answered", "snakedev: measured throughput")
"""Between these lines nothing may disturb the run: looking at memory costs a tenth of a second."""


def run_smoke(spec: SmokeSpec, layout: Layout, threads: int, running: Job) -> SmokeRecord:
    """Run a model on ``threads`` cores and judge what came of it, or find the run in the store.

    Only a run that passed is kept in the store, so that one that failed is tried again.
    """
    with made_once(layout, spec, SmokeRecord, running) as record:
        return record or _made(spec, layout, threads, running)


def _made(spec: SmokeSpec, layout: Layout, threads: int, running: Job) -> SmokeRecord:
    final = layout.folder(spec)
    environment = layout.environment(spec.environment_name, spec.environment_key)
    model = sound_model(layout.model(spec.model, spec.model_key))
    with tempfile.TemporaryDirectory(prefix="snakedev-smoke-") as scratch:
        run = _Run(spec, environment, model, layout.cache, threads, Path(scratch), running)
        record = run.record()
    if record.passed:
        with published(final) as folder:
            record.write(folder / spec.record_name)
            shutil.copyfile(running.log_path, folder / "smoke.log")
    for check in record.checks:
        running.say(f"{'passed' if check.passed else 'FAILED'}: {check.name}: {check.detail}")
    for line in record.failure:
        running.say(f"| {line}")
    return record


class _Run:
    """One run: the engine's processes, what they wrote, and how long it took."""

    def __init__(
        self,
        spec: SmokeSpec,
        environment: Path,
        model: Path,
        cache: Path,
        threads: int,
        scratch: Path,
        running: Job,
    ):
        self.spec, self.running, self.scratch, self.cache = spec, running, scratch, cache
        self.environment = environment.absolute()
        self.python = self.environment / "bin" / "python"
        self.model = model.absolute()
        flags = cpu_flags() if spec.variant == "cpu" else None
        self.engine = engine_arguments(self.model, spec.throughput.prompts, flags)
        self.settings = settings(spec.variant, threads, toolkit_in(self.environment))
        self.events: list[tuple[int, float]] = []
        self.peak_memory = 0
        self.timing = threading.Event()
        self.failure: tuple[str, ...] = ()
        self.problem: str | None = None

    def record(self) -> SmokeRecord:
        """Do it all."""
        started, clock = datetime.now(UTC), time.monotonic()
        result = self._answer()
        states = tuple(ProcessState(**process) for process in result.get("processes", ()))
        answers = tuple(
            Answer(prompt=prompt.text, expect=prompt.expect, **_rounded(answer))
            for prompt, answer in zip(self.spec.prompts, result.get("answers", ()), strict=False)
        )
        timed = result.get("throughput")
        roles = ROLES if self.spec.variant == "cpu" else ROLES[:2]
        checks = judge(self.problem, self.spec.prompts, answers, states, roles)
        return SmokeRecord(
            key=self.spec.key,
            variant=self.spec.variant,
            model=self.spec.model,
            passed=all(check.passed for check in checks),
            checks=checks,
            answers=answers,
            phases=phases(self.events),
            throughput=ThroughputResult(
                prompts=self.spec.throughput.prompts,
                tokens=timed["tokens"],
                rounds=tuple(round(seconds, 6) for seconds in timed["rounds"]),
            )
            if timed
            else None,
            peak_memory=self.peak_memory,
            processes=states,
            gil_forced=self.spec.gil_forced,
            versions=result.get("versions", {}),
            machine=machine_facts(self.spec.variant),
            engine=self.engine,
            variables=self.settings | ({"PYTHON_GIL": "0"} if self.spec.gil_forced else {}),
            failure=self.failure,
            started=started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - clock, 1),
            work=self.spec.work,
        )

    def _answer(self) -> dict[str, Any]:
        """Run snakedev/inside/answer.py; what it said, however far it came."""
        request_file, result = self.scratch / "request.json", self.scratch / "result.json"
        spec = self.spec
        text = request(spec.prompts, spec.max_tokens, spec.throughput, self.model, self.engine)
        request_file.write_text(text, encoding="utf-8")
        variables = run_variables(self.environment, self.cache, gil_off=spec.gil_forced)
        variables |= self.settings | probe_variables()
        self.running.say(f"loading {self.spec.model}")
        self.events.append((-1, time.monotonic()))
        try:
            with self._observed(), self.running.telling(self._status):
                self.running.run(
                    [self.python, ANSWER, request_file, result],
                    env=variables,
                    cwd=self.scratch,
                    watch=self._watch,
                )
        except CommandError as error:
            self.problem = self.problem or str(error)
            self.failure = tuple(error.why)
        return json.loads(result.read_bytes()) if result.is_file() else {}

    def _watch(self, line: str) -> None:
        if line.startswith(_TIMING[0]):
            self.timing.set()
        elif line.startswith(_TIMING[1]):
            self.timing.clear()
            self._measure_memory()
        seen = self.events[-1][0]
        for number, (pattern, name) in enumerate(MILESTONES):
            if number > seen and pattern.search(line):
                self.events.append((number, time.monotonic()))
                self.running.say(f"{name}: {self.events[-1][1] - self.events[-2][1]:.1f} s")
                return

    def _status(self) -> str:
        number, when = self.events[-1]
        steps = [*(name for _, name in MILESTONES), "answer"]
        return f"{steps[number + 1]}: {time.monotonic() - when:.0f} s so far"

    @contextmanager
    def _observed(self) -> Iterator[None]:
        """Measure the memory of this job's processes, and end them when they take too long."""
        done = threading.Event()
        deadline = time.monotonic() + _LIMIT_SECONDS

        def observe() -> None:
            while not done.wait(_MEMORY_EVERY_SECONDS):
                if time.monotonic() > deadline:
                    self.problem = f"it did not end within {_LIMIT_SECONDS // 60} minutes"
                    for child in psutil.Process().children(recursive=True):
                        child.kill()
                    return
                if not self.timing.is_set():
                    self._measure_memory()

        thread = threading.Thread(target=observe, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _measure_memory(self) -> None:
        children = psutil.Process().children(recursive=True)
        self.peak_memory = max(self.peak_memory, sum(map(_memory, children)))


def _rounded(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {**answer, "seconds": round(answer["seconds"], 3)}


def _memory(process: psutil.Process) -> int:
    """A process's share of memory in bytes: pages that it shares count in part."""
    try:
        return process.memory_full_info().pss
    except psutil.Error:
        return 0
