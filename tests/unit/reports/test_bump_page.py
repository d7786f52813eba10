"""The bump report: what it says first, and what its table holds."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from snakedev.reports.bump.page import headline, write_report
from snakedev.reports.bump.record import (
    BumpRecord,
    Difference,
    MoveRecord,
    PassedOver,
    ProposedExclusion,
    ReplayedPatch,
    StepRecord,
)
from tests.html_page import faults


def patch(number, outcome, detail=""):
    return ReplayedPatch(
        name=f"000{number}-Say.patch",
        subject=f"Say {number}",
        changes_sha256="0" * 64,
        outcome=outcome,
        detail=detail,
    )


def record(**known):
    move = {
        "repo": "vllm",
        "origin": "release",
        "before": "0.26.0",
        "after": "0.27.1",
        "state": "moved",
        "passed": (PassedOver(version="0.28.0", why="it asks for torch==3"),),
        "steps": (
            StepRecord(
                place="0.27.1",
                uploaded=datetime(2026, 8, 1, tzinfo=UTC),
                requirements=(Difference(what="orjson", before=None, after="orjson>=3"),),
                build=(Difference(what="flashkda", before=None, after="1234 of a forge"),),
            ),
        ),
        "pins": (Difference(what="repos.vllm.version", before="0.26.0", after="0.27.1"),),
        "replay": (patch(1, "unchanged"), patch(2, "merged"), patch(3, "dropped")),
        "exclusions": (ProposedExclusion(package="fast", reason="none", asked_by=("vllm",)),),
        "by_hand": ("config.yaml, line 3, still names 0.26.0",),
    }
    return BumpRecord(
        made=datetime(2026, 11, 27, tzinfo=UTC), python="3.14", moves=(MoveRecord(**move | known),)
    )


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({}, "vllm 0.26.0 to 0.27.1: 3 patches, 1 as it was, 1 merged and 1 dropped."),
        (
            {
                "state": "conflict",
                "replay": (patch(1, "unchanged"), patch(2, "conflict", "a"), patch(3, "waiting")),
            },
            "vllm 0.26.0 to 0.27.1: patch 0002 conflicts, 2 of 3 patches wait.",
        ),
        (
            {"state": "locks", "replay": (patch(1, "unchanged"),)},
            "vllm 0.26.0 to 0.27.1: 1 patch, 1 as it was; the locks are not compiled.",
        ),
        ({"replay": ()}, "vllm 0.26.0 to 0.27.1: no patches."),
        ({"state": "no news"}, ""),
    ],
)
def test_the_headline_says_what_became_of_it(known, told):
    assert headline(record(**known)) == told


def test_page_and_table_have_all_of_it(tmp_path):
    write_report(record(problem="mend <this>\n  1. so"), tmp_path)
    page = (tmp_path / "bump.html").read_text()
    assert not faults(page)
    for told in (
        "<b>0.28.0</b>: it asks for torch==3",
        "orjson&gt;=3",
        "1234 of a forge",
        "config.yaml, line 3, still names 0.26.0",
        "<b>fast</b>: none; asked for by vllm",
        "mend &lt;this&gt;\n  1. so",
    ):
        assert told in page
    table = pd.read_csv(tmp_path / "bump.csv").set_index("kind")
    assert table.loc["requirement", "after"] == "orjson>=3"
    assert list(table.loc["replayed patch", "verdict"]) == ["unchanged", "merged", "dropped"]
    assert BumpRecord.read(tmp_path / "bump.json") == record(problem="mend <this>\n  1. so")
