"""The patch report: one page for a person, one table for a program, from the trials' records."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from snakedev.base.records import Record
from snakedev.base.text import counted
from snakedev.reports.patches.headline import (
    headline,
    on_pins,
    summary,
    tiles,
    verdict,
    verdict_counts,
)
from snakedev.reports.patches.record import Offset, PatchTrialRecord, TriedPatch, Verdict
from snakedev.reports.write import write

_COLUMNS = [
    "repo",
    "tried_on",
    "commit",
    "version",
    "order",
    "patch",
    "subject",
    "verdict",
    "three_way",
    "offset_lines",
    "conflicting_files",
    "conflicting_hunks",
    "tried_without",
    "author",
    "date",
    "files",
    "lines_added",
    "lines_removed",
    "why",
]
_WORDS: dict[Verdict, str] = {
    "clean": "applies cleanly",
    "offsets": "applies with offsets",
    "upstream": "already upstream",
    "conflict": "conflicts",
}
_PILLS: dict[Verdict, str] = {
    "clean": "good",
    "offsets": "warn",
    "upstream": "plain",
    "conflict": "bad",
}
_LINES = {"+": "added", "-": "removed", "@": "head"}
_MERGES = {
    "resolves": "A three-way merge (git am -3) resolves it; a source is made without one.",
    "conflicts": "A three-way merge leaves a conflict too.",
    "impossible": "A three-way merge cannot be tried: the content that the patch was made from is "
    "not part of the pin.",
}


class PatchReportRecord(Record):
    """What a patch report shows."""

    key: str
    """One key for all of it."""
    conflicts: int
    """How many tries ended with a conflict: a patch counts once on each ref."""
    trials: tuple[PatchTrialRecord, ...]


def write_report(trials: Sequence[PatchTrialRecord], key: str, folder: Path) -> PatchReportRecord:
    """Write patches.html, .csv and .json; a series that does not apply raises nothing."""
    conflicts = verdict_counts(trials)["conflict"]
    record = PatchReportRecord(key=key, conflicts=conflicts, trials=tuple(trials))
    write(record, table(trials), "patches/page.html.j2", _page(trials), folder, "patches")
    return record


def _page(trials: Sequence[PatchTrialRecord]) -> dict[str, Any]:
    """What the page shows."""
    pins = on_pins(trials)
    state, word = verdict(trials)
    return {
        "state": state,
        "word": word,
        "headline": headline(trials),
        "summary": summary(trials),
        "conflicts": [_noted(trial, tried) for trial, tried in _those(trials, "conflict")],
        "upstream": [_noted(trial, tried) for trial, tried in _those(trials, "upstream")],
        "problems": [
            {"repo": trial.repo, "place": _place(trial), "detail": trial.problem}
            for trial in trials
            if trial.problem
        ],
        "tiles": tiles(pins) if verdict_counts(pins) else [],
        "overview": [_row(trial) for trial in trials],
        "repos": [
            _repo([trial for trial in trials if trial.repo == repo])
            for repo in dict.fromkeys(trial.repo for trial in trials)
        ],
    }


def table(trials: Sequence[PatchTrialRecord]) -> pd.DataFrame:
    """One row for each patch on each tree that it was tried on."""
    rows = [
        {
            "repo": trial.repo,
            "tried_on": trial.place,
            "commit": trial.pin.get("commit"),
            "version": trial.version,
            "order": number,
            "patch": tried.patch.name,
            "subject": tried.patch.subject,
            "verdict": tried.verdict,
            "three_way": tried.three_way,
            "offset_lines": tried.farthest,
            "conflicting_files": "; ".join(conflict.file for conflict in tried.conflicts),
            "conflicting_hunks": sum(len(conflict.hunks) for conflict in tried.conflicts),
            "tried_without": "; ".join(tried.without),
            "author": tried.patch.author,
            "date": tried.patch.date and tried.patch.date.isoformat(),
            "files": "; ".join(change.path for change in tried.patch.changes),
            "lines_added": tried.patch.added,
            "lines_removed": tried.patch.removed,
            "why": tried.patch.message,
        }
        for trial in trials
        for number, tried in enumerate(trial.patches, 1)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _those(
    trials: Iterable[PatchTrialRecord], verdict: Verdict
) -> list[tuple[PatchTrialRecord, TriedPatch]]:
    return [(t, tried) for t in trials for tried in t.patches if tried.verdict == verdict]


def _row(trial: PatchTrialRecord) -> dict[str, Any]:
    """A line of the overview."""
    return {
        "repo": trial.repo,
        "place": _place(trial),
        "what": _what(trial),
        "counts": verdict_counts([trial]),
        "total": len(trial.patches),
        "added": sum(tried.patch.added for tried in trial.patches),
        "removed": sum(tried.patch.removed for tried in trial.patches),
    }


def _place(trial: PatchTrialRecord) -> str:
    return trial.place if trial.ref else "its pin"


def _what(trial: PatchTrialRecord) -> str:
    """The tree that was tried, for a reader."""
    commit = trial.pin.get("commit")
    if trial.origin == "git":
        return f"commit {str(commit)[:12]}"
    return f"release {trial.pin['version']}"


def _noted(trial: PatchTrialRecord, tried: TriedPatch) -> dict[str, Any]:
    """A patch in the list of those that need a hand."""
    return {
        "repo": trial.repo,
        "place": _place(trial),
        "anchor": _anchor(trial.repo, tried),
        "subject": tried.patch.subject,
        "files": [conflict.file for conflict in tried.conflicts],
        "three_way": tried.three_way,
    }


def _anchor(repo: str, tried: TriedPatch) -> str:
    """What names a patch in the page: one file may differ between the origins."""
    return f"{repo}-{tried.patch.name}-{tried.patch.body_sha256[:8]}"


def _repo(trials: Sequence[PatchTrialRecord]) -> dict[str, Any]:
    """A repo with all that was tried of it; patches of several origins stand side by side."""
    tries_of: dict[str, list[tuple[PatchTrialRecord, TriedPatch]]] = {}
    for trial in trials:
        for tried in trial.patches:
            tries_of.setdefault(_anchor(trial.repo, tried), []).append((trial, tried))
    return {
        "name": trials[0].repo,
        "version": trials[0].version,
        "patches": [
            {
                "anchor": anchor,
                "patch": tries[0][1].patch,
                "size": counted(len(tries[0][1].patch.changes), "file"),
                "author": tries[0][1].patch.author.partition(" <")[0],
                "paragraphs": _paragraphs(tries[0][1].patch.message),
                "tries": [_try(trial, tried, len(trials) > 1) for trial, tried in tries],
            }
            for anchor, tries in sorted(tries_of.items())
        ],
    }


def _try(trial: PatchTrialRecord, tried: TriedPatch, named: bool) -> dict[str, Any]:
    """How a patch fared on one tree; ``named`` when there are several."""
    return {
        "place": trial.place if named else "",
        "pill": _PILLS[tried.verdict],
        "word": _word(tried),
        "told": tried.verdict in ("offsets", "conflict") or bool(tried.without),
        "offsets": [
            {"file": file, "hunks": _hunks([o for o in tried.offsets if o.file == file])}
            for file in dict.fromkeys(offset.file for offset in tried.offsets)
        ],
        "conflicts": [
            {
                "file": conflict.file,
                "reason": f"{counted(len(conflict.hunks), 'hunk')} without a place"
                if conflict.hunks
                else conflict.reason,
                "lines": [
                    {"kind": _LINES.get(line[:1], ""), "text": line}
                    for hunk in conflict.hunks
                    for line in hunk.replace("\r", "^M").splitlines()
                ],
            }
            for conflict in tried.conflicts
        ],
        "merge": _MERGES[tried.three_way] if tried.three_way else "",
        "without": tried.without,
    }


def _word(tried: TriedPatch) -> str:
    if tried.verdict == "offsets":
        return f"applies, {counted(tried.farthest, 'line')} off"
    if tried.three_way == "resolves":
        return "conflicts, a merge resolves it"
    return _WORDS[tried.verdict]


def _hunks(offsets: Sequence[Offset]) -> str:
    """The hunks of a file that apply elsewhere: `hunk 1 is 12 lines further down`."""
    return ", ".join(
        f"hunk {offset.hunk} is {counted(abs(offset.lines), 'line')} further "
        f"{'down' if offset.lines > 0 else 'up'}"
        for offset in offsets
    )


def _paragraphs(message: str) -> list[Markup]:
    """A commit message's paragraphs, each line as long as the page has room for.

    A line break is kept before what looks meant: an indented line, a list item, a trailer.
    """
    return [
        _linked(re.sub(r"\n(?![\s*-]|\d+[.)] |[A-Z][\w-]*: )", " ", paragraph.strip("\n")))
        for paragraph in re.split(r"\n\s*\n", message)
        if paragraph.strip()
    ]


def _linked(text: str) -> Markup:
    """Text as HTML, its addresses as links; punctuation behind an address is no part of it."""
    parts = re.split(r"(https?://[^\s<>()]*[^\s<>().,;:!?'\"])", text)
    links = Markup('<a href="{0}">{0}</a>')
    return Markup("").join(
        links.format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )
