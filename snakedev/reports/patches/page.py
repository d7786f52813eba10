"""The patch report: one page for a person, one table for a program, from the trials' records."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from snakedev.base.records import Record, write_text
from snakedev.reports.html import render, when
from snakedev.reports.patches.record import Offset, PatchTrialRecord, TriedPatch, Verdict

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
_TILES: dict[Verdict, str] = {
    "clean": "apply cleanly",
    "offsets": "apply with offsets",
    "upstream": "upstream already",
    "conflict": "conflict",
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


def write_report(
    trials: Sequence[PatchTrialRecord], key: str, html: Path, csv: Path
) -> PatchReportRecord:
    """Write the page and the table; a series that does not apply raises nothing."""
    write_text(html, page(trials, datetime.now(UTC)))
    write_text(csv, table(trials).to_csv(index=False))
    conflicts = _counts(trials)["conflict"]
    return PatchReportRecord(key=key, conflicts=conflicts, trials=tuple(trials))


def headline(trials: Sequence[PatchTrialRecord]) -> str:
    """The verdict in a sentence or two: the pins first, then the other refs."""
    pins, others = _pins(trials), _others(trials)
    places = list(dict.fromkeys(trial.place for trial in others))
    told = [
        _told(_counts(pins), None),
        _told(_counts(others), places[0] if len(places) == 1 else "other refs"),
    ]
    return " ".join(filter(None, told)) or "No repo has a patch."


def page(trials: Sequence[PatchTrialRecord], made: datetime) -> str:
    """The whole page as HTML; nothing in it is fetched from elsewhere."""
    pins = _pins(trials)
    state, word = _verdict(trials)
    return render(
        "patches/page.html.j2",
        {
            "made": when(made.isoformat()),
            "state": state,
            "word": word,
            "headline": headline(trials),
            "summary": _summary(trials),
            "conflicts": [_noted(trial, tried) for trial, tried in _those(trials, "conflict")],
            "upstream": [_noted(trial, tried) for trial, tried in _those(trials, "upstream")],
            "problems": [
                {"repo": trial.repo, "place": _place(trial), "detail": trial.problem}
                for trial in trials
                if trial.problem
            ],
            "tiles": _tiles(pins) if _counts(pins) else [],
            "overview": [_row(trial) for trial in trials],
            "repos": [
                _repo([trial for trial in trials if trial.repo == repo])
                for repo in dict.fromkeys(trial.repo for trial in trials)
            ],
        },
    )


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


def _pins(trials: Iterable[PatchTrialRecord]) -> list[PatchTrialRecord]:
    return [trial for trial in trials if trial.ref is None]


def _others(trials: Iterable[PatchTrialRecord]) -> list[PatchTrialRecord]:
    return [trial for trial in trials if trial.ref is not None]


def _counts(trials: Iterable[PatchTrialRecord]) -> Counter[Verdict]:
    return Counter(tried.verdict for trial in trials for tried in trial.patches)


def _those(
    trials: Iterable[PatchTrialRecord], verdict: Verdict
) -> list[tuple[PatchTrialRecord, TriedPatch]]:
    return [(t, tried) for t in trials for tried in t.patches if tried.verdict == verdict]


def _told(counts: Counter[Verdict], ref: str | None) -> str:
    """How patches fared on a ref, or on their pins, as a sentence; empty when there are none."""
    total, bad, upstream = counts.total(), counts["conflict"], counts["upstream"]

    def where(count: int) -> str:
        return ref or ("its pin" if count == 1 else "their pins")

    if not total:
        return ""
    if bad:
        return f"{_of(bad, total, 'conflict')} with {where(bad)}."
    if upstream == total:
        return f"{_of(total, total, 'stand')} in {where(total)} already."
    applied = f"{_of(total - upstream, total, 'apply')} to {where(total - upstream)}"
    more = [f"{upstream} upstream already"] if upstream else []
    more += [f"{counts['offsets']} with offsets"] if counts["offsets"] else []
    return f"{', '.join([applied, *more])}."


def _of(count: int, total: int, verb: str) -> str:
    """So many of all patches, and what they do: `2 of 9 patches conflict`."""
    verbs = f"{verb[:-1]}ies" if verb.endswith("y") else f"{verb}s"
    if count == total:
        return f"The one patch {verbs}" if total == 1 else f"All {total} patches {verb}"
    return f"{count} of {total} patches {verbs if count == 1 else verb}"


def _number(count: int, word: str, plural: str | None = None) -> str:
    return f"{count} {word if count == 1 else plural or f'{word}s'}"


def _verdict(trials: Sequence[PatchTrialRecord]) -> tuple[str, str]:
    """The colour of the verdict (good, warned or failed) and its word."""
    if _counts(_pins(trials))["conflict"]:
        return "failed", "Conflict."
    counts = _counts(trials)
    if counts["conflict"]:
        return "warned", "Drift."
    return "good", "Clean." if counts["clean"] == counts.total() else "Applies."


def _summary(trials: Sequence[PatchTrialRecord]) -> str:
    refs: dict[str, list[str]] = {}
    for trial in _others(trials):
        refs.setdefault(trial.repo, []).append(trial.place)
    also = [f"that of {repo} on {' and '.join(places)} too" for repo, places in refs.items()]
    where = ", ".join(["Each series was tried on the pin that a run uses", *also])
    return f"{where}: in its order, every patch on top of those before it that apply."


def _tiles(pins: Sequence[PatchTrialRecord]) -> list[dict[str, str]]:
    """The few numbers that a person looks for first: those of the pins."""
    counts = _counts(pins)
    total = counts.total()
    patches = f"{'patch' if total == 1 else 'patches'} to {_number(len(pins), 'repo')}"
    tiles = [
        (total, patches),
        *((counts[verdict], label) for verdict, label in _TILES.items()),
    ]
    return [{"value": str(value), "label": label} for value, label in tiles]


def _row(trial: PatchTrialRecord) -> dict[str, Any]:
    """A line of the overview."""
    return {
        "repo": trial.repo,
        "place": _place(trial),
        "what": _what(trial),
        "counts": _counts([trial]),
        "total": len(trial.patches),
        "added": sum(tried.patch.added for tried in trial.patches),
        "removed": sum(tried.patch.removed for tried in trial.patches),
    }


def _place(trial: PatchTrialRecord) -> str:
    return trial.ref or "its pin"


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
    found: dict[str, list[tuple[PatchTrialRecord, TriedPatch]]] = {}
    for trial in trials:
        for tried in trial.patches:
            found.setdefault(_anchor(trial.repo, tried), []).append((trial, tried))
    return {
        "name": trials[0].repo,
        "version": trials[0].version,
        "patches": [
            {
                "anchor": anchor,
                "patch": tries[0][1].patch,
                "size": _number(len(tries[0][1].patch.changes), "file"),
                "author": tries[0][1].patch.author.partition(" <")[0],
                "paragraphs": _paragraphs(tries[0][1].patch.message),
                "tries": [_try(trial, tried, len(trials) > 1) for trial, tried in tries],
            }
            for anchor, tries in sorted(found.items())
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
                "reason": f"{_number(len(conflict.hunks), 'hunk')} without a place"
                if conflict.hunks
                else conflict.reason,
                "lines": [
                    {"kind": _LINES.get(line[:1], ""), "text": line}
                    for hunk in conflict.hunks
                    for line in hunk.splitlines()
                ],
            }
            for conflict in tried.conflicts
        ],
        "merge": _MERGES[tried.three_way] if tried.three_way else "",
        "without": tried.without,
    }


def _word(tried: TriedPatch) -> str:
    if tried.verdict == "offsets":
        return f"applies, {_number(tried.farthest, 'line')} off"
    if tried.three_way == "resolves":
        return "conflicts, a merge resolves it"
    return _WORDS[tried.verdict]


def _hunks(offsets: Sequence[Offset]) -> str:
    """The hunks of a file that apply elsewhere: `hunk 1 is 12 lines further down`."""
    return ", ".join(
        f"hunk {offset.hunk} is {_number(abs(offset.lines), 'line')} further "
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
