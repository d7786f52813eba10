"""The upstream report: which patches can be sent, and what is open about the others."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from snakedev.base.text import counted
from snakedev.reports.html import listed, when
from snakedev.reports.upstream.record import Draft, RepoKit, State, UpstreamReportRecord
from snakedev.reports.write import write

_COLUMNS = [
    "repo",
    "upstream",
    "tried_on",
    "order",
    "patch",
    "subject",
    "title",
    "state",
    "why",
    "status",
    "reason",
    "branch",
    "stands_on",
    "three_way",
    "conflicting_files",
    "rules_met",
    "rules_open",
    "tests",
    "covered_by",
    "records",
    "differs_from_series",
    "lines_added",
    "lines_removed",
    "mail",
    "text",
]
_STATES: dict[State, tuple[str, str]] = {
    "ready": ("good", "ready to send"),
    "open": ("warn", "not yet"),
    "waits": ("warn", "waiting for another"),
    "conflict": ("bad", "conflicts"),
    "submitted": ("plain", "submitted"),
    "upstream": ("plain", "upstream already"),
    "ours": ("plain", "ours only"),
}
_RULES = {True: ("good", "met"), False: ("bad", "open"), None: ("plain", "yours")}


def write_report(kits: Sequence[RepoKit], folder: Path) -> UpstreamReportRecord:
    """Write upstream.html, .csv and .json into a folder."""
    record = UpstreamReportRecord(kits=tuple(kits))
    write(record, table(kits), "upstream/page.html.j2", _page(kits), folder, "upstream")
    return record


def headline(kits: Sequence[RepoKit]) -> str:
    """How many patches can be sent where, in a sentence."""
    drafts = [draft for kit in kits for draft in kit.drafts]
    if not drafts:
        return "No repo has a patch."
    ready = {kit.repo: len(kit.of("ready")) for kit in kits if kit.of("ready")}
    count = sum(ready.values())
    verb = "is" if count == 1 else "are"
    where = f", {listed([f'{n} for {repo}' for repo, n in ready.items()])}" if ready else ""
    return f"{count} of {counted(len(drafts), 'patch', 'patches')} {verb} ready to send{where}."


def others(kits: Sequence[RepoKit]) -> str:
    """What is about the patches that cannot be sent, in a sentence; nothing where all can."""
    counts = Counter(draft.state for kit in kits for draft in kit.drafts)
    del counts["ready"]
    told = [f"{counts[state]} {word}" for state, (_, word) in _STATES.items() if counts[state]]
    return f"The others: {', '.join(told)}. " if told else ""


def _page(kits: Sequence[RepoKit]) -> dict[str, Any]:
    drafts = [draft for kit in kits for draft in kit.drafts]
    counts = Counter(draft.state for draft in drafts)
    blocked = counts["conflict"] + counts["open"]
    return {
        "state": "warned" if blocked else "good",
        "word": "Drafts.",
        "headline": headline(kits),
        "summary": f"{others(kits)}Each patch was put on the newest state of its upstream that "
        "could be had, and held against upstream's rules. Nothing is sent: the commands under a "
        "draft are for a person, who signs for it.",
        "tiles": [(counts[state], word) for state, (_, word) in _STATES.items() if counts[state]],
        "repos": [_repo(kit) for kit in kits],
    }


def _repo(kit: RepoKit) -> dict[str, Any]:
    return {
        "name": kit.repo,
        "url": kit.url,
        "place": kit.place,
        "made": when(kit.made.isoformat()),
        "notes": kit.notes,
        "drafts": [_draft(kit, draft) for draft in kit.drafts],
    }


def _draft(kit: RepoKit, draft: Draft) -> dict[str, Any]:
    colour, word = _STATES[draft.state]
    sent = draft.state in ("ready", "open")
    return {
        "anchor": f"{kit.repo}-{draft.patch.name}",
        "name": draft.patch.name,
        "title": draft.note.title,
        "pill": colour,
        "word": word,
        "why": draft.why,
        "how": _how(draft),
        "rules": [(rule.rule, *_RULES[rule.met], rule.detail) for rule in draft.rules],
        "tests": draft.tests,
        "covered_by": draft.covered_by,
        "evidence": draft.evidence,
        "range_diff": draft.range_diff.splitlines() if draft.branch else [],
        "commands": draft.commands if sent else (),
        "files": [path for path in (draft.mail, draft.text) if path],
    }


def _how(draft: Draft) -> str:
    """How the patch is on upstream's newest state."""
    if draft.branch is None:
        return ""
    below = f" on top of {listed(draft.stands_on)}" if draft.stands_on else ""
    way = "by a three-way merge" if draft.merged else "as it is"
    return f"Branch {draft.branch}: it applies {way}{below}."


def table(kits: Sequence[RepoKit]) -> pd.DataFrame:
    """One row for each patch."""
    return pd.DataFrame(list(_rows(kits)), columns=_COLUMNS)


def _rows(kits: Sequence[RepoKit]) -> Iterator[dict[str, Any]]:
    for kit in kits:
        for number, draft in enumerate(kit.drafts, 1):
            yield {
                "repo": kit.repo,
                "upstream": kit.url,
                "tried_on": kit.place,
                "order": number,
                "patch": draft.patch.name,
                "subject": draft.patch.subject,
                "title": draft.note.title,
                "state": draft.state,
                "why": draft.why,
                "status": draft.note.status,
                "reason": draft.note.reason,
                "branch": draft.branch,
                "stands_on": "; ".join(draft.stands_on),
                "three_way": draft.merged,
                "conflicting_files": "; ".join(one.file for one in draft.conflicts),
                "rules_met": "; ".join(rule.rule for rule in draft.rules if rule.met),
                "rules_open": "; ".join(rule.rule for rule in draft.rules if rule.met is False),
                "tests": "; ".join(draft.tests),
                "covered_by": "; ".join(draft.covered_by),
                "records": "; ".join(one.where for one in draft.evidence),
                "differs_from_series": bool(draft.range_diff),
                "lines_added": draft.patch.added,
                "lines_removed": draft.patch.removed,
                "mail": draft.mail,
                "text": draft.text,
            }
