"""The compatibility report: one page for a person, one table for a program."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from snakedev.base.records import Record
from snakedev.reports.compat.closure import ROOT
from snakedev.reports.compat.history import WORDS, Change
from snakedev.reports.compat.rows import HAD, ONLY_FOR_OTHERS, CompatRecord, Row, Status, index_says
from snakedev.reports.html import when
from snakedev.reports.write import write

_COLUMNS = [
    "made",
    "package",
    "version",
    "variants",
    "status",
    "can_be_had",
    "asked_by",
    "how_known",
    "reason",
    "without",
    "note",
    "tracked",
    "index_state",
    "index_file",
    "uploaded",
    "other_abis",
    "newest_release_with_wheel",
    "newest_prerelease_with_wheel",
    "asked",
]
_PILLS: dict[Status, str] = {
    **dict.fromkeys(HAD, "good"),
    "elsewhere": "warn",
    "gil": "bad",
    "source": "bad",
    "none": "bad",
    "left out": "bad",
}
_MEANINGS: dict[Status, str] = {
    "pure": "Wheels tagged py3-none-any, which every Python takes",
    "no abi": "Wheels tagged py3-none and a platform: programs and libraries that use no ABI of "
    "Python",
    "free-threaded": "Wheels of the free-threaded ABI",
}


class CompatReportRecord(Record):
    """What a compatibility report shows."""

    report: CompatRecord
    since: datetime | None
    """When the report was made that this one is compared with; None where there is none."""
    changes: tuple[Change, ...]


def write_report(
    record: CompatRecord, before: CompatRecord | None, changes: Sequence[Change], folder: Path
) -> CompatReportRecord:
    """Write compat.html, .csv and .json; ``changes`` are those since the report ``before``."""
    since = before.made if before else None
    report = CompatReportRecord(report=record, since=since, changes=tuple(changes))
    page = _page(record, before, changes)
    write(report, table(record), "compat/page.html.j2", page, folder, "compat")
    return report


def headline(record: CompatRecord) -> str:
    """The verdict in a sentence: how many packages of the closure are here."""
    packages = record.packages
    had = sum(_had(rows) for rows in packages.values())
    return (
        f"{had} of the {len(packages)} packages that vLLM {record.vllm} asks for can be installed "
        f"here on free-threaded Python {record.python}."
    )


def _page(
    record: CompatRecord, before: CompatRecord | None, changes: Sequence[Change]
) -> dict[str, Any]:
    """What the page shows."""
    missing = [row for row in record.rows if row.variants and not row.had]
    others = [row for row in missing if row.index.installable]
    return {
        "made": when(record.made.isoformat()),
        "state": "warned" if missing else "good",
        "word": f"{len({row.name for row in missing})} left out." if missing else "Complete.",
        "headline": headline(record),
        "summary": _summary(record),
        "offline": when(min(row.asked for row in record.rows).isoformat())
        if record.offline
        else "",
        "unexplained": [row for row in record.rows if not row.explained],
        "since": when(before.made.isoformat()) if before else "",
        "changes": sorted(changes, key=lambda one: (one.good is None, one.good is False)),
        "tiles": _tiles(record),
        "wanting": [_shown(row) for row in missing if not row.index.installable],
        "declined": [_shown(row) for row in others if row.reason != ONLY_FOR_OTHERS],
        "followers": [_shown(row) for row in others if row.reason == ONLY_FOR_OTHERS],
        "tracked": [_shown(row) for row in record.rows if row.tracked],
        "built": [_shown(row) for row in record.rows if row.variants and row.status == "built"],
        "groups": [
            {
                "word": WORDS[status],
                "meaning": meaning,
                "rows": [
                    _shown(row) for row in record.rows if row.variants and row.status == status
                ],
            }
            for status, meaning in _MEANINGS.items()
        ],
        "ordinary": record.ordinary,
        "python": record.python,
        "index": record.index,
    }


def table(record: CompatRecord) -> pd.DataFrame:
    """One row for each package and version."""
    rows = [
        {
            "made": record.made.isoformat(),
            "package": row.name,
            "version": row.version,
            "variants": "; ".join(row.variants),
            "status": row.status,
            "can_be_had": row.had,
            "asked_by": "; ".join(row.via),
            "how_known": row.known,
            "reason": row.reason,
            "without": row.without,
            "note": row.note,
            "tracked": row.tracked,
            "index_state": row.index.state,
            "index_file": row.index.file,
            "uploaded": row.index.uploaded and row.index.uploaded.isoformat(),
            "other_abis": "; ".join(row.index.abis),
            "newest_release_with_wheel": row.index.final and row.index.final.version,
            "newest_prerelease_with_wheel": row.index.pre and row.index.pre.version,
            "asked": row.asked.isoformat(),
        }
        for row in record.rows
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _had(rows: Iterable[Row]) -> bool:
    return all(row.had for row in rows)


def _summary(record: CompatRecord) -> str:
    variants = dict.fromkeys(variant for row in record.rows for variant in row.variants)
    missing = {row.name: row for row in record.rows if row.variants and not row.had}
    wanting = sum(not row.index.installable for row in missing.values())
    told = f" Of those left out, {wanting} have no wheel for it." if missing else ""
    return (
        f"These are all packages that an ordinary Python {record.ordinary} would install for the "
        f"variants {' and '.join(variants)}, at the versions of the locks here where these "
        f"have them.{told}"
    )


def _tiles(record: CompatRecord) -> list[tuple[int, str]]:
    """How many packages have each status; one with several counts where it is worst."""
    order = list(WORDS)
    counts = Counter(
        max((row.status for row in rows), key=order.index) for rows in record.packages.values()
    )
    return [(counts[status], word) for status, word in WORDS.items() if counts[status]]


def _shown(row: Row) -> dict[str, Any]:
    """A row as the page has it."""
    by = [asker for asker in row.via if asker != ROOT]
    asked_by = ["vLLM itself"] if ROOT in row.via else by
    return {
        "row": row,
        "pill": _PILLS[row.status],
        "word": WORDS[row.status],
        "asked_by": ", ".join(asked_by),
        "index": index_says(row.index),
        "known": _coded(row.known),
        "why": _coded("; ".join(filter(None, [row.reason, row.note]))),
        "without": _coded(row.without),
        "variants": ", ".join(row.variants) or "none",
    }


def _coded(text: str) -> Markup:
    """Text as HTML, with what stands in backticks as code."""
    parts = text.split("`")
    code = Markup("<code>{}</code>")
    return Markup("").join(
        code.format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )
