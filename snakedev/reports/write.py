"""Writing a report: a page for a person, and a table and a record for programs."""

import itertools
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from snakedev.base.records import Record, write_text
from snakedev.reports.html import render, when

_FIGURE = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
_ID = re.compile(r'\sid="([^"]*)"')
_REFERENCE = re.compile(r'(?:url\(|href=")#([^)"]+)')


def write(
    record: Record,
    table: pd.DataFrame,
    template: str,
    context: Mapping[str, Any],
    folder: Path,
    name: str,
) -> None:
    """Write NAME.html, NAME.csv and NAME.json into ``folder``, each in one step.

    ``template`` is a file below this folder, and ``context`` what it shows; base.html.j2 says what
    all of them show. When the report was made is now, unless ``context`` has ``made``.
    """
    made = when(datetime.now(UTC).isoformat())
    page = _own_ids(render(template, {"made": made, "name": name, **context}))
    write_text(folder / f"{name}.html", page)
    write_text(folder / f"{name}.csv", table.to_csv(index=False))
    record.write(folder / f"{name}.json")


def _own_ids(page: str) -> str:
    """A page whose figures have the ids alone that they refer to, and each its own ones.

    matplotlib numbers its elements anew in each figure.
    """
    numbers = itertools.count(1)

    def renamed(figure: re.Match[str]) -> str:
        prefix, wanted = f"figure{next(numbers)}-", set(_REFERENCE.findall(figure[0]))

        def own(found: re.Match[str]) -> str:
            return f' id="{prefix}{found[1]}"' if found[1] in wanted else ""

        text = _ID.sub(own, figure[0])
        return _REFERENCE.sub(lambda found: found[0].replace("#", f"#{prefix}"), text)

    return _FIGURE.sub(renamed, page)
