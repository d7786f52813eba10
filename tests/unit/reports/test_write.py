"""Writing a report: three files beside each other, whole or not at all."""

from pathlib import Path

import pandas as pd
import pytest
from jinja2 import UndefinedError

from snakedev.base.records import Record
from snakedev.reports.write import write

SHOWN = {
    "state": "warned",
    "word": "Hm.",
    "headline": "1 < 2 & so on.",
    "summary": "In short.",
    "tiles": [(3, "of <these>")],
}


class Kept(Record):
    """A record of a report."""

    key: str


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"


def written(folder: Path, key: str = "first", **shown: object) -> None:
    table = pd.DataFrame([{"part": key, "figure": 0.5}])
    write(Kept(key=key), table, "base.html.j2", {**SHOWN, **shown}, folder, "tried")


def test_page_table_and_record_stand_beside_each_other(reports: Path) -> None:
    written(reports)
    page = (reports / "tried.html").read_text()
    for part in (
        '<div class="verdict warned">',
        '<span class="word">Hm.</span> 1 &lt; 2 &amp; so on.</h1>',
        '<p class="lead">In short.</p>',
        "<b>3</b><span>of &lt;these&gt;</span>",
        "<code>tried.csv</code> beside this page, and as a record: <code>tried.json</code>",
    ):
        assert part in page
    assert (reports / "tried.csv").read_text() == "part,figure\nfirst,0.5\n"
    assert Kept.read(reports / "tried.json") == Kept(key="first")
    assert len([*reports.iterdir()]) == 3


def test_a_report_without_a_word_or_tiles_has_neither(reports: Path) -> None:
    written(reports, word="", tiles=[])
    page = (reports / "tried.html").read_text()
    assert "<h1>1 &lt; 2" in page and "<title>1 &lt; 2 &amp; so on: " in page
    assert '<ul class="tiles">' not in page


def test_the_time_is_now_unless_it_is_given(reports: Path) -> None:
    written(reports)
    assert " UTC</p>" in (reports / "tried.html").read_text()
    written(reports, made="yesterday")
    assert "yesterday</p>" in (reports / "tried.html").read_text()


def test_a_page_that_lacks_a_value_leaves_the_earlier_report(reports: Path) -> None:
    written(reports)
    before = {path.name: path.read_bytes() for path in reports.iterdir()}
    lacking = {name: value for name, value in SHOWN.items() if name != "summary"}
    with pytest.raises(UndefinedError, match="summary"):
        write(Kept(key="b"), pd.DataFrame(), "base.html.j2", lacking, reports, "tried")
    assert {path.name: path.read_bytes() for path in reports.iterdir()} == before
