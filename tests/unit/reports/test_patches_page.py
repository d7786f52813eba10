"""The patch report: what a reader finds on the page and in the table."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup, Tag

from snakedev.reports.patches.page import PatchReportRecord, write_report
from snakedev.reports.patches.record import Conflict, Offset, PatchTrialRecord, TriedPatch
from snakedev.sources.patch_file import FileChange, PatchDetails

MINUS = "\N{MINUS SIGN}"
HUNK = '@@ -3,3 +3,3 @@ int main()\n {\n-  puts("hello <b>");\n+  puts("hi");\n }\n'
WHY = """Nobody says <b>hello</b> any more,
and a test of it is slow.

- the first
- the second

Upstream: see https://forge.test/x/1; still open."""


def tried(number: int = 1, verdict: str = "clean", **more: object) -> TriedPatch:
    patch = PatchDetails(
        name=f"000{number}-say-hi.patch",
        subject=f"Say hi {number} & <go>",
        author="A. Tester <tester@example.org>",
        files=("greet.c",),
        body_sha256=f"{number}" * 64,
        date=datetime(2024, 5, 6, 7, 8, tzinfo=UTC),
        message=WHY,
        changes=(
            FileChange(path="greet.c", added=5, removed=2, kind="changed"),
            FileChange(path="logo.png", added=0, removed=0, kind="binary"),
        ),
    )
    return TriedPatch(patch=patch, verdict=verdict, **more)


def conflict(number: int = 2, three_way: str = "conflicts") -> TriedPatch:
    conflicts = (
        Conflict(file="greet.c", reason="patch does not apply", hunks=(HUNK,)),
        Conflict(file="gone.c", reason="No such file or directory"),
    )
    return tried(number, "conflict", conflicts=conflicts, three_way=three_way)


OFFSETS = (
    Offset(file="greet.c", hunk=1, lines=1),
    Offset(file="greet.c", hunk=3, lines=-12),
)


def trial(*patches: TriedPatch, **more: object) -> PatchTrialRecord:
    values = {
        "key": "0123456789abcdef",
        "repo": "vllm",
        "origin": "release",
        "version": "0.26.0",
        "pin": {"kind": "sdist", "name": "vllm", "version": "0.26.0", "sha256": "b" * 64},
        "ref": None,
        "tree": "c" * 40,
        "problem": None,
        "patches": patches,
    }
    return PatchTrialRecord(**{**values, **more})


def at(ref: str, *patches: TriedPatch, **more: object) -> PatchTrialRecord:
    pin = {"url": "https://forge.test/x", "commit": "d" * 40}
    return trial(*patches, ref=ref, origin="git", pin=pin, **more)


class Written:
    """A report as it was written: its record, its page and its table."""

    def __init__(self, folder: Path, *trials: PatchTrialRecord):
        reports = folder / "reports"
        self.record: PatchReportRecord = write_report(trials, "key", reports)
        self.page = BeautifulSoup((reports / "patches.html").read_bytes(), "html.parser")
        self.table = pd.read_csv(reports / "patches.csv")

    @property
    def h1(self) -> str:
        return words(self.page.h1)

    @property
    def notices(self) -> list[str]:
        return [words(notice) for notice in self.page.select(".notice")]

    @property
    def cards(self) -> list[Tag]:
        return self.page.select(".patches > li")

    def pills(self, number: int = 0) -> list[str]:
        return [words(pill) for pill in self.cards[number].select(".pill")]


def words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def test_a_clean_series_is_told_in_the_first_line(tmp_path: Path) -> None:
    report = Written(tmp_path, trial(tried(1), tried(2)), trial(tried(3), repo="other"))
    assert report.h1 == "Clean. All 3 patches apply to their pins."
    assert report.page.title.text == "Clean: patch report"
    assert report.record.conflicts == 0 and len(report.record.trials) == 2
    assert report.notices == []
    assert [words(tile) for tile in report.page.select(".tiles li")] == [
        "3 patches to 2 repos",
        "3 apply cleanly",
        "0 apply with offsets",
        "0 upstream already",
        "0 conflict",
    ]


@pytest.mark.parametrize(
    ("trials", "headline"),
    [
        ([], "Clean. No repo has a patch."),
        ([trial(tried())], "Clean. The one patch applies to its pin."),
        (
            [trial(tried(1), tried(2, "offsets", offsets=OFFSETS))],
            "Applies. All 2 patches apply to their pins, 1 with offsets.",
        ),
        (
            [trial(tried(1), tried(2, "upstream"))],
            "Applies. 1 of 2 patches applies to its pin, 1 upstream already.",
        ),
        (
            [trial(tried(1), conflict(2))],
            "Conflict. 1 of 2 patches conflicts with its pin.",
        ),
        (
            [trial(tried(1), tried(2)), at("main", tried(1), conflict(2))],
            "Drift. All 2 patches apply to their pins. 1 of 2 patches conflicts with main.",
        ),
        (
            [trial(tried(1)), at("main", tried(1, "upstream")), at("v1", conflict(1))],
            "Drift. The one patch applies to its pin. 1 of 2 patches conflicts with other refs.",
        ),
        (
            [trial(tried(1)), at("main", tried(1, "upstream"))],
            "Applies. The one patch applies to its pin. The one patch stands in main already.",
        ),
    ],
)
def test_the_verdict_fits_what_was_found(
    tmp_path: Path, trials: list[PatchTrialRecord], headline: str
) -> None:
    assert Written(tmp_path, *trials).h1 == headline


def test_who_wrote_a_patch_and_why_is_shown_as_text(tmp_path: Path) -> None:
    (card,) = Written(tmp_path, trial(tried())).cards
    assert words(card.h3) == "Say hi 1 & <go>"
    assert words(card.select_one(".meta")) == (
        f"A. Tester · 6 May 2024 · 2 files, +5 {MINUS}2 · 0001-say-hi.patch"
    )
    first, second, third = card.select(".why p")
    assert first.text == "Nobody says <b>hello</b> any more, and a test of it is slow."
    assert second.text == "- the first\n- the second"
    assert third.a["href"] == third.a.text == "https://forge.test/x/1"
    assert third.text == "Upstream: see https://forge.test/x/1; still open."
    assert [words(file) for file in card.select(".files li")] == [
        f"greet.c +5 {MINUS}2",
        f"logo.png binary +0 {MINUS}0",
    ]


def test_offsets_are_told_hunk_by_hunk(tmp_path: Path) -> None:
    report = Written(tmp_path, trial(tried(1, "offsets", offsets=OFFSETS)))
    assert report.pills() == ["applies, 12 lines off"]
    assert words(report.cards[0].select_one(".found")) == (
        "greet.c : hunk 1 is 1 line further down, hunk 3 is 12 lines further up"
    )
    assert report.table.offset_lines[0] == 12


def test_a_conflict_is_shown_with_its_hunks_and_what_a_merge_does(tmp_path: Path) -> None:
    after = tried(3).model_copy(update={"without": ("0002-say-hi.patch",)})
    report = Written(tmp_path, trial(tried(1), conflict(2), after))
    (alert,) = report.notices
    assert alert == "What conflicts vllm on its pin: Say hi 2 & <go> (greet.c, gone.c)"
    link = report.page.select_one(".notice a")["href"]
    assert report.page.find(id=link.removeprefix("#")) is report.cards[1]
    found = report.cards[1].select_one(".found")
    assert "greet.c : 1 hunk without a place" in words(found)
    assert found.pre.text == HUNK
    assert found.pre.select_one(".removed").text == '-  puts("hello <b>");'
    assert "gone.c : No such file or directory" in words(found)
    assert "A three-way merge leaves a conflict too." in words(found)
    assert report.cards[0].select_one(".found") is None
    assert "Tried without 0002-say-hi.patch" in words(report.cards[2])
    assert report.record.conflicts == 1


@pytest.mark.parametrize(
    ("three_way", "pill", "said"),
    [
        ("resolves", "conflicts, a merge resolves it", "A three-way merge (git am -3) resolves"),
        ("impossible", "conflicts", "A three-way merge cannot be tried"),
    ],
)
def test_what_a_merge_would_do_is_said(
    tmp_path: Path, three_way: str, pill: str, said: str
) -> None:
    report = Written(tmp_path, trial(conflict(1, three_way)))
    assert report.pills() == [pill]
    assert said in words(report.cards[0])
    assert ("; a three-way merge resolves it" in report.notices[0]) == (three_way == "resolves")


def test_pin_and_refs_stand_side_by_side(tmp_path: Path) -> None:
    report = Written(
        tmp_path,
        trial(tried(1), tried(2)),
        at("main", tried(1, "upstream"), conflict(2)),
        at("v0.27.0", tried(1), tried(2, "offsets", offsets=OFFSETS)),
    )
    assert report.pills(0) == [
        "pin: applies cleanly",
        "main: already upstream",
        "v0.27.0: applies cleanly",
    ]
    assert report.pills(1) == [
        "pin: applies cleanly",
        "main: conflicts",
        "v0.27.0: applies, 12 lines off",
    ]
    founds = [words(found) for found in report.cards[1].select(".found")]
    assert founds[0].startswith("On main") and founds[1].startswith("On v0.27.0")
    rows = [
        [words(cell) for cell in row.select("th, td")] for row in report.page.select("tbody tr")
    ]
    lines = f"+10 {MINUS}4"
    assert rows == [
        ["vllm", "its pin release 0.26.0", "2", "2", "0", "0", "0", lines],
        ["vllm", "main commit dddddddddddd", "2", "0", "0", "1", "1", lines],
        ["vllm", "v0.27.0 commit dddddddddddd", "2", "1", "1", "0", "0", lines],
    ]
    assert "Upstream already vllm on main: Say hi 1 & <go>" in report.notices


def test_patches_of_one_origin_only_stand_where_they_were_tried(tmp_path: Path) -> None:
    report = Written(tmp_path, trial(tried(2)), at("main", tried(1), tried(2)))
    assert report.pills(0) == ["main: applies cleanly"]
    assert report.pills(1) == ["pin: applies cleanly", "main: applies cleanly"]


def test_what_could_not_be_done_first_is_said(tmp_path: Path) -> None:
    problem = "version_files: Cargo.toml has no place"
    report = Written(tmp_path, at("main", tried(1), problem=problem))
    assert f"The version could not be set first vllm on main: {problem}" in report.notices


def test_a_ref_without_a_patch_to_try_says_so(tmp_path: Path) -> None:
    report = Written(tmp_path, at("main"))
    assert "It has no patch for origin git" in words(report.page.section)


def test_the_page_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    page = Written(tmp_path, trial(conflict(1)), at("main", tried(1))).page
    assert not page.select("script, link, img, iframe, [src]")
    assert "@import" not in page.style.text and "url(" not in page.style.text


def test_the_table_has_a_row_for_each_try(tmp_path: Path) -> None:
    table = Written(tmp_path, trial(tried(1), conflict(2)), at("main", tried(1))).table
    assert list(table.columns) == [
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
    assert list(table.tried_on) == ["pin", "pin", "main"]
    assert list(table.order) == [1, 2, 1]
    assert list(table.verdict) == ["clean", "conflict", "clean"]
    assert table.conflicting_files[1] == "greet.c; gone.c" and table.conflicting_hunks[1] == 1
    assert table.author[0] == "A. Tester <tester@example.org>"
    assert table.date[0] == "2024-05-06T07:08:00+00:00"
    assert table.why[0] == WHY
    assert pd.isna(table.commit[0]) and table.commit[2] == "d" * 40


def test_the_table_has_the_same_columns_when_there_is_no_patch(tmp_path: Path) -> None:
    full = Written(tmp_path, trial(tried(1))).table
    assert list(Written(tmp_path, at("main")).table.columns) == list(full.columns)
