"""The bump report: what a move of a pin brought, and what of it waits for a person."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from snakedev.base.text import counted, first_of
from snakedev.reports.bump.record import (
    BumpRecord,
    Difference,
    MoveRecord,
    Outcome,
    ReplayedPatch,
)
from snakedev.reports.html import listed, when
from snakedev.reports.patches.record import TriedPatch
from snakedev.reports.write import write

_COLUMNS = ["repo", "place", "kind", "what", "before", "after", "verdict", "detail"]
_OUTCOMES: dict[Outcome, tuple[str, str]] = {
    "unchanged": ("good", "as it was"),
    "merged": ("warn", "merged"),
    "dropped": ("plain", "dropped"),
    "conflict": ("bad", "conflicts"),
    "waiting": ("plain", "waits"),
}
_TRIED = {
    "clean": ("good", "clean"),
    "offsets": ("good", "offsets"),
    "upstream": ("plain", "upstream already"),
    "resolves": ("warn", "merges"),
    "conflict": ("bad", "conflicts"),
}


def write_report(record: BumpRecord, folder: Path) -> None:
    """Write bump.html, .csv and .json into a folder."""
    write(record, table(record), "bump/page.html.j2", _page(record), folder, "bump")


def headline(record: BumpRecord) -> str:
    """What became of each pin, in a sentence for each."""
    return " ".join(_sentence(move) for move in record.moves if move.state != "no news")


def _sentence(move: MoveRecord) -> str:
    way = f"{move.repo} {move.before} to {move.after}"
    counts = Counter(patch.outcome for patch in move.replay)
    if move.state == "conflict" and counts["conflict"]:
        stopped = next(patch for patch in move.replay if patch.outcome == "conflict")
        left = counts["conflict"] + counts["waiting"]
        number = stopped.name.partition("-")[0]
        return f"{way}: patch {number} conflicts, {left} of {len(move.replay)} patches wait."
    if move.state in ("begun", "conflict"):
        return f"{way}: the patches are not on it."
    words = [
        f"{counts[outcome]} {word}" for outcome, (_, word) in _OUTCOMES.items() if counts[outcome]
    ]
    told = f"{counted(len(move.replay), 'patch', 'patches')}, {listed(words)}" if words else ""
    if move.state == "locks":
        return f"{way}: {told or 'the pin'}; the locks are not compiled."
    return f"{way}: {told or 'no patches'}."


def _page(record: BumpRecord) -> dict[str, Any]:
    moves = [move for move in record.moves if move.state != "no news"]
    done = all(move.state == "moved" for move in moves)
    return {
        "state": "good" if done else "warned",
        "word": "Moved." if done else "Waits.",
        "headline": headline(record),
        "summary": "All of it stands in files that are not committed: look through them, build, "
        "and commit, or undo it with git checkout."
        if done
        else "What is done so far stands in files that are not committed. Mend what is told below, "
        "and the same command goes on.",
        "made": when(record.made.isoformat()),
        "tiles": [],
        "moves": [_move(move) for move in moves],
        "still": [move for move in record.moves if move.state == "no news"],
    }


def _move(move: MoveRecord) -> dict[str, Any]:
    tried = [step for step in move.steps if step.trial is not None]
    return {
        "repo": move.repo,
        "before": move.before,
        "after": move.after,
        "problem": move.problem,
        "passed": move.passed,
        "pins": [_shown(one) for one in move.pins],
        "places": [step.place for step in tried],
        "patches": [
            {
                "name": patch.name,
                "subject": patch.subject,
                "cells": [_tried(_of(step.trial.patches, patch)) for step in tried if step.trial],
                "outcome": _OUTCOMES[patch.outcome],
                "detail": patch.detail,
            }
            for patch in move.replay
        ],
        "conflicts": [
            {
                "place": step.place,
                "name": one.patch.name,
                "merges": one.three_way == "resolves",
                "files": [
                    (c.file, counted(len(c.hunks), "hunk") if c.hunks else c.reason)
                    for c in one.conflicts
                ],
            }
            for step in tried
            if step.trial
            for one in step.trial.patches
            if one.verdict == "conflict"
        ],
        "steps": [
            {
                "place": step.place,
                "uploaded": step.uploaded,
                "groups": [
                    (title, [_shown(one) for one in changed])
                    for title, changed in (
                        ("Requirements", step.requirements),
                        ("What the build takes in", step.build),
                    )
                    if changed
                ],
            }
            for step in move.steps
        ],
        "exclusions": move.exclusions,
        "by_hand": move.by_hand,
    }


def _of(patches: Sequence[TriedPatch], wanted: ReplayedPatch) -> TriedPatch | None:
    return next((one for one in patches if one.patch.name == wanted.name), None)


def _tried(tried: TriedPatch | None) -> tuple[str, str]:
    """The colour and the word of how a patch fared on a release."""
    if tried is None:
        return "plain", "not tried"
    if tried.three_way == "resolves":
        return _TRIED["resolves"]
    if tried.verdict == "offsets":
        return _TRIED["offsets"][0], f"{counted(tried.farthest, 'line')} off"
    return _TRIED[tried.verdict]


def _shown(one: Difference) -> dict[str, str]:
    """A difference for a reader: digests by their first digits."""
    return {
        "what": one.what,
        "kind": "came" if one.before is None else "went" if one.after is None else "changed",
        "before": _short(one.before),
        "after": _short(one.after),
    }


def _short(text: str | None) -> str:
    words = (text or "").split()
    return " ".join(w[:12] if len(w) in (40, 64) and w.isalnum() else w for w in words)


def table(record: BumpRecord) -> pd.DataFrame:
    """One row for each thing that changed, and for each patch on each release."""
    rows = [
        dict(zip(_COLUMNS, (move.repo, *row), strict=True))
        for move in record.moves
        for row in _rows(move)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _rows(move: MoveRecord) -> Iterator[tuple[str, str, str, str | None, str | None, str, str]]:
    for passed in move.passed:
        yield passed.version, "release", passed.version, None, None, "passed over", passed.why
    for pin in move.pins:
        yield move.after, "pin", pin.what, pin.before, pin.after, "", ""
    for step in move.steps:
        for patch in step.trial.patches if step.trial else ():
            files = "; ".join(conflict.file for conflict in patch.conflicts)
            verdict = "merges" if patch.three_way == "resolves" else patch.verdict
            yield step.place, "patch", patch.patch.name, None, None, verdict, files
        for kind, changed in (("requirement", step.requirements), ("build", step.build)):
            for one in changed:
                yield step.place, kind, one.what, one.before, one.after, "", ""
    for replayed in move.replay:
        yield (
            *(move.after, "replayed patch", replayed.name, None, None),
            *(replayed.outcome, replayed.detail),
        )
    for proposed in move.exclusions:
        asked = first_of(proposed.asked_by)
        yield (
            move.after,
            "exclusion",
            proposed.package,
            None,
            None,
            "proposed",
            (f"{proposed.reason} (asked for by {asked})"),
        )
    for line in move.by_hand:
        yield move.after, "look", line, None, None, "", ""
