"""The smoke report: one page for a person, one table for a program, from the records."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from snakedev.base.errors import UserError
from snakedev.base.records import Record
from snakedev.environments.environment import EnvironmentRecord
from snakedev.inference.smoke_record import Answer, SmokeRecord
from snakedev.reports.html import duration, size, when
from snakedev.reports.smoke.charts import build_chart, run_charts
from snakedev.reports.write import write
from snakedev.wheels.record import WheelRecord


@dataclass(frozen=True)
class Reported:
    """All that the report tells of."""

    runs: Sequence[SmokeRecord]
    wheels: Sequence[WheelRecord]
    environments: Sequence[EnvironmentRecord]
    left_out: Mapping[str, str]
    """Repos that this machine does not build, with the reason."""
    skipped: Mapping[str, str]
    """Variants that this machine cannot run, with the reason."""


class SmokeReportRecord(Record):
    """What a smoke report shows."""

    key: str
    """One key for all of it."""
    passed: bool
    runs: tuple[str, ...]


def write_report(reported: Reported, key: str, folder: Path) -> SmokeReportRecord:
    """Write smoke.html, .csv and .json; raises UserError when there is no run to report."""
    if not reported.runs and reported.skipped:
        lines = [f"no smoke run of {variant}: {why}" for variant, why in reported.skipped.items()]
        raise UserError("\n".join(lines))
    if not reported.runs:
        raise UserError(
            "config.yaml: smoke.variants and smoke.models ask for no run: name at least one of each"
        )
    passed = all(run.passed for run in reported.runs)
    record = SmokeReportRecord(key=key, passed=passed, runs=tuple(map(_name, reported.runs)))
    write(record, table(reported.runs), "smoke/page.html.j2", _page(reported), folder, "smoke")
    return record


def _page(reported: Reported) -> dict[str, Any]:
    """What the page shows."""
    runs = reported.runs
    failed = [
        {"run": _name(run), "name": check.name, "detail": check.detail}
        for run in runs
        for check in run.checks
        if not check.passed
    ]
    return {
        "state": "failed" if failed else "good",
        "word": "Failed." if failed else "Passed.",
        "failed": failed,
        "headline": _headline(runs, failed),
        "summary": _summary(reported),
        "work": {repo: tree for run in runs for repo, tree in run.work.items()},
        "left_out": reported.left_out,
        "skipped": reported.skipped,
        "tiles": _tiles(reported),
        "runs": [_run(run) for run in runs],
        "wheels": [_wheel(wheel) for wheel in reported.wheels],
        "build_chart": build_chart(reported.wheels),
        "environments": [
            {
                **record.model_dump(),
                "ours": [p.name for p in record.packages if p.built_here],
            }
            for record in reported.environments
        ],
    }


def table(runs: Sequence[SmokeRecord]) -> pd.DataFrame:
    """One row for each answer, with its run's figures (seconds, bytes) repeated beside it."""
    rows = []
    for run in runs:
        figures = {
            "variant": run.variant,
            "model": run.model,
            "key": run.key,
            "started": run.started,
            "run_passed": run.passed,
            "gil_off": bool(run.processes) and not any(p.gil_enabled for p in run.processes),
            "processes": len(run.processes),
            "start_to_first_token_s": run.start_to_first_token,
            "tokens_per_s": run.throughput and round(run.throughput.tokens_per_second, 1),
            "peak_memory_bytes": run.peak_memory,
            "python": run.versions.get("python"),
            "vllm": run.versions.get("vllm"),
            "torch": run.versions.get("torch"),
        }
        # a run without answers has a row too, with these columns empty
        pairs = zip(run.answers, run.answer_checks, strict=False) if run.answers else [(None, None)]
        rows += [
            figures
            | {
                "prompt": answer and answer.prompt,
                "expect": answer and answer.expect,
                "answer": answer and answer.text,
                "answer_passed": check and check.passed,
                "prompt_tokens": answer and answer.prompt_tokens,
                "tokens": answer and answer.tokens,
                "seconds": answer and answer.seconds,
            }
            for answer, check in pairs
        ]
    return pd.DataFrame(rows)


def _name(run: SmokeRecord) -> str:
    return f"{run.variant}/{run.model}"


def _headline(runs: Sequence[SmokeRecord], failed: Sequence[object]) -> str:
    if failed:
        return f"{len(failed)} of {sum(len(run.checks) for run in runs)} checks did not hold."
    models = " and ".join(dict.fromkeys(run.model for run in runs))
    verb = "answers" if len({run.model for run in runs}) == 1 else "answer"
    return f"{models} {verb} with the GIL off."


def _summary(reported: Reported) -> str:
    first, machine = reported.runs[0].versions, reported.runs[0].machine
    # which explains the times
    sanitized = any("sanitizer" in wheel.interpreter for wheel in reported.wheels)
    return (
        f"vLLM {first.get('vllm', '?')} with torch {first.get('torch', '?')} on free-threaded "
        f"Python {first.get('python', '?').split()[0]}"
        f"{' with ThreadSanitizer' if sanitized else ''}, on {machine['cpu']} with "
        f"{machine['cores']} cores and {machine['memory']}."
    )


def _tiles(reported: Reported) -> list[tuple[str, str]]:
    """The few numbers that a person looks for first; the slowest run counts."""
    runs = reported.runs
    processes = [process for run in runs for process in run.processes]
    off = sum(not process.gil_enabled for process in processes)
    starts = [run.start_to_first_token for run in runs if run.start_to_first_token is not None]
    speeds = [run.throughput.tokens_per_second for run in runs if run.throughput]
    return [
        (f"{off} of {len(processes)}", "processes with the GIL off"),
        (f"{max(starts):.0f} s" if starts else "none", "from start to first token"),
        (f"{min(speeds):.0f}/s" if speeds else "none", "new tokens, whole batch"),
        (size(max(run.peak_memory for run in runs)), "memory at the most"),
        (str(len(reported.wheels)), _how_built(reported.wheels)),
    ]


def _how_built(wheels: Sequence[WheelRecord]) -> str:
    borrowed = sum(wheel.borrowed is not None for wheel in wheels)
    return (
        f"wheels built, {borrowed} with borrowed kernels"
        if borrowed
        else "wheels built from source"
    )


def _run(run: SmokeRecord) -> dict[str, Any]:
    checks = run.answer_checks
    return {
        "record": run,
        "answers": [
            {**answer.model_dump(), "marked": _marked(answer), "check": check}
            for answer, check in zip(run.answers, checks, strict=False)
        ],
        "charts": run_charts(run),
        "forced": _forced(run),
        "settings": _settings(run),
    }


def _marked(answer: Answer) -> Markup:
    """The answer with what was expected marked in it."""
    text, expect = escape(answer.text), answer.expect
    if expect is None:
        return text
    return Markup(text.replace(escape(expect), Markup(f"<mark>{escape(expect)}</mark>"), 1))


def _forced(run: SmokeRecord) -> str:
    if run.gil_forced:
        return (
            "PYTHON_GIL=0 kept it off there, whatever a module asks for: this variant still needs "
            "that. `snakemake gil_report` says which modules would turn it on."
        )
    if any(process.gil_enabled for process in run.processes):
        return (
            "PYTHON_GIL was not set, and a module that was loaded turned the GIL on: `snakemake "
            "gil_report` says which."
        )
    return "PYTHON_GIL was not set: no module that was loaded needs the GIL."


def _settings(run: SmokeRecord) -> list[tuple[str, str]]:
    variables = " ".join(f"{name}={value}" for name, value in run.variables.items())
    engine = ", ".join(f"{name}={json.dumps(value)}" for name, value in run.engine.items())
    return [
        *run.machine.items(),
        *run.versions.items(),
        ("engine", engine),
        ("variables", variables),
        ("started", when(run.started)),
        ("took", duration(run.seconds)),
        ("key", run.key),
    ]


def _wheel(wheel: WheelRecord) -> dict[str, Any]:
    pin = wheel.pin
    if wheel.origin == "git":
        text, digest = f"commit of {pin.get('url')}", pin.get("commit")
    else:
        text, digest = f"{pin.get('name')} {pin.get('version')}", pin.get("sha256")
    compilers = [
        f"CUDA {value}" if name == "cuda" else value.splitlines()[0]
        for name, value in wheel.compilers.items()
    ]
    return {
        **wheel.model_dump(),
        "pin_text": text,
        "digest": digest,
        "gil_on": "on" in wheel.gil.values(),
        "with_text": ", ".join(compilers),
    }
