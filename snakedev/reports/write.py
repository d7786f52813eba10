"""Writing a report: a page for a person, and a table and a record for programs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from snakedev.base.records import Record, write_text
from snakedev.reports.html import render, when


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
    page = render(template, {"made": made, "name": name, **context})
    write_text(folder / f"{name}.html", page)
    write_text(folder / f"{name}.csv", table.to_csv(index=False))
    record.write(folder / f"{name}.json")
