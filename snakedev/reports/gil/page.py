"""The GIL report: one page for a person, one table for a program, from the trials' records."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from snakedev.base.errors import UserError
from snakedev.base.records import Record
from snakedev.reports.gil.record import (
    EntryTrial,
    GilRecord,
    ModuleTrial,
    OffenderImport,
    Outcome,
    Verdict,
)
from snakedev.reports.html import duration
from snakedev.reports.write import write

_COLUMNS = [
    "variant",
    "vllm_starts_with_gil_off",
    "module",
    "outcome",
    "distribution",
    "version",
    "built_here",
    "needs",
    "seconds",
    "declares",
    "abi",
    "init",
    "sets_gil",
    "imported_by",
    "chain",
    "importers",
    "patches",
    "url",
    "file",
    "detail",
]
_WORDS: dict[Outcome, str] = {
    "off": "leaves it off",
    "on": "turns it on",
    "crash": "crashes",
    "hang": "hangs",
    "failed": "does not import",
    "unknown": "cannot be said",
}
_PILLS: dict[Outcome, str] = {
    "off": "good",
    "on": "bad",
    "crash": "bad",
    "hang": "bad",
    "failed": "warn",
    "unknown": "warn",
}
_HEADS: dict[Verdict, tuple[str, str]] = {
    "yes": ("good", "Yes."),
    "no": ("failed", "No."),
    "unknown": ("warned", "Not known."),
}
# From what a reader should see first to what is in order.
_ORDER: tuple[Outcome, ...] = ("on", "crash", "hang", "unknown", "failed", "off")


class GilReportRecord(Record):
    """What a GIL report shows."""

    key: str
    """One key for all of it."""
    verdicts: dict[str, Verdict]
    """By variant: whether vLLM starts with the GIL off without PYTHON_GIL=0."""
    skipped: dict[str, str]
    """Variants that this machine cannot run, with the reason."""
    trials: tuple[GilRecord, ...]


def write_report(
    trials: Sequence[GilRecord], skipped: Mapping[str, str], key: str, folder: Path
) -> GilReportRecord:
    """Write gil.html, .csv and .json; raises UserError when there is no variant to report on."""
    if not trials and skipped:
        lines = [f"no look at {variant}: {why}" for variant, why in skipped.items()]
        raise UserError("\n".join(lines))
    if not trials:
        raise UserError("config.yaml: smoke.variants names no variant to look at: name one")
    record = GilReportRecord(
        key=key,
        verdicts={trial.variant: trial.verdict for trial in trials},
        skipped=dict(skipped),
        trials=tuple(trials),
    )
    write(record, table(trials), "gil/page.html.j2", _page(trials, skipped), folder, "gil")
    return record


def headline(trials: Sequence[GilRecord]) -> str:
    """The verdict in a sentence for each variant."""
    return " ".join(_sentence(trial, named=len(trials) > 1) for trial in trials)


def _page(trials: Sequence[GilRecord], skipped: Mapping[str, str]) -> dict[str, Any]:
    """What the page shows."""
    verdicts = {trial.verdict for trial in trials}
    worst: Verdict = next(v for v in ("no", "unknown", "yes") if v in verdicts)
    state, word = _HEADS[worst]
    return {
        "state": state,
        "word": word,
        "headline": headline(trials),
        "summary": _summary(trials),
        "skipped": skipped,
        "work": {repo: tree for trial in trials for repo, tree in trial.work.items()},
        "tiles": _tiles(trials),
        "trials": [_trial(trial) for trial in trials],
    }


def table(trials: Sequence[GilRecord]) -> pd.DataFrame:
    """One row for each extension module of each variant, those that turn the GIL on first."""
    rows = []
    for trial in trials:
        for one in _sorted(trial.modules):
            seen = _seen(one, trial)
            rows.append(
                {
                    "variant": trial.variant,
                    "vllm_starts_with_gil_off": trial.verdict,
                    **one.model_dump(include=set(_COLUMNS)),
                    **one.evidence.model_dump(),
                    "imported_by": "; ".join(name for name, _ in seen),
                    "chain": " > ".join(seen[0][1].chain) if seen else "",
                    "importers": "; ".join(seen[0][1].importers) if seen else "",
                    "patches": "; ".join(one.patches),
                }
            )
    return pd.DataFrame(rows, columns=_COLUMNS)


def declaration(trial: ModuleTrial) -> str:
    """What a module says of the GIL, in words: its definition's, else its file's."""
    evidence = trial.evidence
    if trial.declares in ("used", "not used"):
        return f"Py_mod_gil: {trial.declares}"
    if trial.declares == "no slot":
        return "multi-phase, without Py_mod_gil"
    if evidence.sets_gil:
        return "single-phase, calls PyUnstable_Module_SetGIL"
    if evidence.init == "elsewhere":
        return "initialised by a library that it is linked to"
    if trial.declares == "single-phase":
        return "single-phase, says nothing"
    return {"either": "multi-phase or single-phase"}.get(evidence.init, evidence.init)


def _sentence(trial: GilRecord, *, named: bool) -> str:
    who = f"On {trial.variant}, vLLM" if named else "vLLM"
    if trial.verdict == "yes":
        return f"{who} starts with the GIL off without PYTHON_GIL=0."
    if trial.verdict == "no":
        because = _because(trial)
        return f"{who} starts with the GIL on without PYTHON_GIL=0{because}."
    failed = ", ".join(entry.name for entry in trial.entries if entry.outcome != "off")
    return f"{who} could not be imported: {failed}."


def _because(trial: GilRecord) -> str:
    """The modules that vLLM imports and that turn the GIL on, each with its distribution."""
    owners = {one.module: f"{one.distribution} {one.version}" for one in trial.modules}
    names = dict.fromkeys(
        name
        for entry in trial.entries
        for name in (entry.first, *(offender.module for offender in entry.offenders))
        if name
    )
    told = [f"{name} ({owners[name]})" if name in owners else name for name in names]
    return f", because of {', '.join(told)}" if told else ""


def _summary(trials: Sequence[GilRecord]) -> str:
    first = trials[0]
    total = sum(len(trial.modules) for trial in trials)
    vllm = f"vLLM {first.vllm}" if first.vllm else "an environment without vLLM"
    took = duration(sum(trial.seconds for trial in trials))
    return (
        f"For {vllm} on free-threaded Python {first.python}, each of {total} extension modules was "
        f"imported alone, in a fresh process without PYTHON_GIL; then what vLLM's processes import "
        f"as they start. It took {took}."
    )


def _tiles(trials: Sequence[GilRecord]) -> list[tuple[int, str]]:
    counts = _counts(one for trial in trials for one in trial.modules)
    broken = counts["crash"] + counts["hang"] + counts["failed"]
    return [
        (counts.total(), "extension modules"),
        (counts["off"], "leave the GIL off"),
        (counts["on"], "turn it on"),
        (broken, "cannot be imported"),
        *([(counts["unknown"], "cannot be told")] if counts["unknown"] else []),
    ]


def _counts(modules: Iterable[ModuleTrial]) -> Counter[Outcome]:
    return Counter(one.outcome for one in modules)


def _sorted(modules: Iterable[ModuleTrial]) -> list[ModuleTrial]:
    return sorted(modules, key=lambda one: _ORDER.index(one.outcome))


def _trial(trial: GilRecord) -> dict[str, Any]:
    return {
        "variant": trial.variant,
        "environment": trial.environment,
        "key": trial.key,
        "started": trial.started,
        "verdict": trial.verdict,
        "entries": [_entry(entry) for entry in trial.entries],
        "offenders": [_offender(one, trial) for one in trial.offenders],
        "others": [_row(one) for one in _sorted(trial.modules) if one.outcome not in ("on", "off")],
        "modules": [_row(one) for one in trial.modules],
    }


def _entry(entry: EntryTrial) -> dict[str, Any]:
    words: dict[Outcome, str] = {"off": "off", "on": "on"}
    return {
        "entry": entry,
        "word": words.get(entry.outcome, _WORDS[entry.outcome]),
        "pill": _PILLS[entry.outcome],
        "seconds": _seconds(entry.seconds),
    }


def _offender(one: ModuleTrial, trial: GilRecord) -> dict[str, Any]:
    """A module that turns the GIL on, with the ways in which vLLM comes to import it."""
    ways: dict[tuple[str, ...], list[str]] = {}
    importers: dict[str, None] = {}
    for name, offender in _seen(one, trial):
        ways.setdefault(offender.chain, []).append(name)
        importers |= dict.fromkeys(offender.importers)
    return {
        "trial": one,
        "says": declaration(one),
        "ways": [{"chain": chain, "entries": names} for chain, names in ways.items()],
        "importers": list(importers),
    }


def _seen(one: ModuleTrial, trial: GilRecord) -> list[tuple[str, OffenderImport]]:
    """The entry points that import a module that turns the GIL on, and how each does."""
    return [
        (entry.name, offender)
        for entry in trial.entries
        for offender in entry.offenders
        if offender.module == one.module
    ]


def _row(one: ModuleTrial) -> dict[str, Any]:
    return {
        "trial": one,
        "word": _WORDS[one.outcome],
        "pill": _PILLS[one.outcome],
        "says": declaration(one),
        "seconds": _seconds(one.seconds),
    }


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"
