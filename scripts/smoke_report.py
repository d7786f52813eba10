"""The smoke report: one self-contained page for people, and the same as CSV."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from scripts.environment import EnvironmentRecord
from scripts.records import Record, write_text
from scripts.smoke_record import SmokeRecord
from scripts.wheel import WheelRecord

_TEMPLATES = Path(__file__).with_name("templates")
_COLORS = ("#2f6f8f", "#5b9e8a", "#c9a24b", "#b8654b", "#7a6aa8", "#8c8c8c", "#4f7cac")


class SmokeReportRecord(Record):
    """What a smoke report shows."""

    key: str
    passed: bool
    runs: tuple[str, ...]


def write_report(
    key: str,
    runs: Sequence[SmokeRecord],
    wheels: Sequence[WheelRecord],
    environments: Sequence[EnvironmentRecord],
    left_out: Mapping[str, str],
    html: Path,
    csv: Path,
) -> SmokeReportRecord:
    """Write the page and the table; they show failed checks as plainly as passed ones."""
    table = answers_table(runs)
    csv.parent.mkdir(parents=True, exist_ok=True)
    write_text(csv, table.to_csv(index=False))
    page = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined
    ).get_template("smoke.html.j2")
    passed = all(run.passed for run in runs)
    text = page.render(
        runs=runs,
        wheels=wheels,
        environments=environments,
        left_out=left_out,
        passed=passed,
        start_charts=[start_chart(run) for run in runs],
        throughput_chart=throughput_chart(runs),
    )
    write_text(html, text)
    return SmokeReportRecord(
        key=key, passed=passed, runs=tuple(f"{run.variant}/{run.model}" for run in runs)
    )


def answers_table(runs: Sequence[SmokeRecord]) -> pd.DataFrame:
    """A row for each prompt of each run, with the run's figures beside it."""
    rows = [
        {
            "variant": run.variant,
            "model": run.model,
            "passed": run.passed,
            "prompt": answer.prompt,
            "expect": answer.expect,
            "answer": answer.text,
            "prompt_tokens": answer.prompt_tokens,
            "tokens": answer.tokens,
            "seconds": answer.seconds,
            "start_to_first_token_seconds": run.start_to_first_token,
            "tokens_per_second": run.throughput.tokens_per_second if run.throughput else None,
            "peak_memory_bytes": run.peak_memory,
            "gil_off_everywhere": not any(p.gil_enabled for p in run.processes),
        }
        for run in runs
        for answer in run.answers
    ]
    return pd.DataFrame(rows)


def start_chart(run: SmokeRecord) -> str:
    """The phases from start to first token as one bar, in SVG."""
    figure = Figure(figsize=(7.2, 1.9), layout="constrained")
    axes = figure.subplots()
    left = 0.0
    for phase, color in zip(run.phases, _COLORS * 2, strict=False):
        axes.barh(
            0, phase.seconds, left=left, color=color, label=f"{phase.name} {phase.seconds:.1f} s"
        )
        left += phase.seconds
    axes.set_yticks([])
    axes.set_xlabel("seconds since Python started")
    axes.spines[["top", "right", "left"]].set_visible(False)
    if run.phases:
        axes.legend(
            ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, fontsize=8
        )
    return _svg(figure)


def throughput_chart(runs: Sequence[SmokeRecord]) -> str:
    """Tokens per second of every timed round, in SVG."""
    timed = [run for run in runs if run.throughput]
    figure = Figure(figsize=(7.2, 0.9 + 0.5 * len(timed)), layout="constrained")
    axes = figure.subplots()
    for number, run in enumerate(timed):
        rates = [run.throughput.tokens / seconds for seconds in run.throughput.rounds]
        axes.scatter(rates, [number] * len(rates), color=_COLORS[0], alpha=0.6)
        axes.scatter(
            [run.throughput.tokens_per_second], [number], color=_COLORS[3], marker="|", s=260
        )
    axes.set_yticks(range(len(timed)), [f"{run.variant} · {run.model}" for run in timed])
    axes.set_xlim(left=0)
    axes.set_xlabel("new tokens per second (points: rounds, mark: median)")
    axes.spines[["top", "right"]].set_visible(False)
    return _svg(figure)


def _svg(figure: Figure) -> str:
    """A figure as SVG text that takes its ink from the page, without a date or random ids."""
    target = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "snakedev-vllm"}):
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None})
    text = target.getvalue()
    return (
        text[text.index("<svg") :]
        .replace("#000000", "currentColor")
        .replace("stroke: black", "stroke: currentColor")
    )
