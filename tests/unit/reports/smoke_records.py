"""Records of smoke runs and wheels, for tests of what reports say of them."""

from typing import Any

from snakedev.config.reports import Prompt
from snakedev.inference.smoke_record import (
    MILESTONES,
    Answer,
    Phase,
    ProcessState,
    SmokeRecord,
    ThroughputResult,
    judge,
)
from snakedev.wheels.record import WheelPatch, WheelRecord

PROMPTS = (
    Prompt(text="The capital of France is", expect="Paris"),
    Prompt(text="Is 1 < 2 & 2 > 1?"),
)
TEXTS = (" Paris, of course.", " <b>Yes</b> & so on")
ROLES = ("front end", "engine core", "worker 0")


def answers(texts: tuple[str, ...]) -> tuple[Answer, ...]:
    return tuple(
        Answer(
            prompt=prompt.text,
            expect=prompt.expect,
            text=text,
            prompt_tokens=5,
            tokens=32,
            finish_reason="length",
            seconds=1.25,
        )
        for prompt, text in zip(PROMPTS, texts, strict=False)
    )


def processes(*on: str, setting: str | None = "0") -> tuple[ProcessState, ...]:
    return tuple(
        ProcessState(
            role=role,
            pid=number,
            free_threaded=True,
            gil_enabled=role in on,
            gil_setting=setting,
            threads=4,
            peak_rss=1_500_000_000,
            extensions=123,
        )
        for number, role in enumerate(ROLES)
    )


def run(
    texts: tuple[str, ...] = TEXTS,
    states: tuple[ProcessState, ...] | None = None,
    problem: str | None = None,
    **more: Any,
) -> SmokeRecord:
    """The record of a run, good unless something else is said."""
    states = processes() if states is None else states
    checks = judge(problem, PROMPTS, answers(texts), states)
    values = {
        "key": "0123456789abcdef",
        "variant": "cpu",
        "model": "smollm2-135m",
        "passed": all(check.passed for check in checks),
        "checks": checks,
        "answers": answers(texts),
        "phases": tuple(Phase(name=name, seconds=2.0) for _, name in MILESTONES),
        "throughput": ThroughputResult(prompts=16, tokens=1024, rounds=(10.0, 8.0, 20.0)),
        "peak_memory": 2_340_000_000,
        "processes": states,
        "gil_forced": True,
        "versions": {"python": "3.14.1 (main)", "vllm": "0.26.0+cpu", "torch": "2.11.0+cpu"},
        "machine": {"cpu": "A CPU", "cores": "8", "memory": "31 GiB"},
        "engine": {"dtype": "float32", "max_model_len": 2048},
        "variables": {"PYTHON_GIL": "0"},
        "failure": (),
        "started": "2024-05-06T07:08:09+00:00",
        "seconds": 95.0,
    }
    return SmokeRecord(**{**values, **more})


def crashed() -> SmokeRecord:
    """The record of an engine that crashed while it loaded the model."""
    return run(
        texts=(),
        states=(),
        problem="python ended with exit status 1",
        phases=(Phase(name=MILESTONES[0][1], seconds=2.0),),
        throughput=None,
        peak_memory=0,
        versions={},
        failure=("Traceback (most recent call last):", "RuntimeError: no <kernel> for this CPU"),
    )


def wheel(repo: str = "vllm", **more: Any) -> WheelRecord:
    values = {
        "key": "fedcba9876543210",
        "repo": repo,
        "variant": "cpu",
        "version": "0.26.0+cpu",
        "file": f"{repo}-0.26.0+cpu-cp314-cp314t-linux_x86_64.whl",
        "sha256": "a" * 64,
        "size": 22_200_000,
        "tags": ("cp314-cp314t-linux_x86_64",),
        "requires": (),
        "origin": "release",
        "pin": {"kind": "sdist", "name": repo, "version": "0.26.0", "sha256": "b" * 64},
        "patches": (WheelPatch(name="0001-x.patch", subject="Build without the GIL"),),
        "recipe": "vllm",
        "recipe_number": 1,
        "settings": {},
        "passed": {},
        "needs": {},
        "without": {},
        "compilers": {"cxx": "g++ 12.2.0 x86_64-linux-gnu", "rustc": "rustc 1.90.0\nhost: x"},
        "interpreter": {},
        "environment": "build-cpu-0",
        "network": "none",
        "paths": "fixed",
        "gil": {"vllm._C": "off"},
        "device_code": {},
        "built": "2024-05-06T07:08:09+00:00",
        "seconds": 3840.0,
    }
    return WheelRecord(**{**values, **more})
