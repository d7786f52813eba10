"""The compatibility report: what a reader finds on the page and in the table."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
from bs4 import BeautifulSoup, Tag

from snakedev.environments.exclusions import Exclusion, Exclusions
from snakedev.reports.compat.history import changes
from snakedev.reports.compat.page import CompatReportRecord, write_report
from snakedev.reports.compat.rows import CompatRecord
from tests.unit.reports.compat_rows import ASKED, CLOSURES, EXCLUSIONS, FILES, OURS, record


class Written:
    """A report as it was written: its record, its page and its table."""

    def __init__(self, folder: Path, now: CompatRecord, before: CompatRecord | None = None):
        reports = folder / "reports"
        since = tuple(changes(before, now)) if before else ()
        self.record: CompatReportRecord = write_report(now, before, since, reports)
        self.page = BeautifulSoup((reports / "compat.html").read_bytes(), "html.parser")
        self.table = pd.read_csv(reports / "compat.csv")

    def section(self, name: str) -> Tag:
        (found,) = self.page.select(f'section[aria-labelledby="{name}"]')
        return found

    def rows(self, name: str) -> list[list[str]]:
        return [
            [words(cell) for cell in row.select("th, td")]
            for row in self.section(name).select("tbody tr")
        ]


def words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def test_how_much_can_be_had_is_told_in_the_first_line(tmp_path):
    report = Written(tmp_path, record())
    assert words(report.page.h1) == (
        "4 left out. 5 of the 9 packages that vLLM 0.26.0 asks for can be installed here on "
        "free-threaded Python 3.14."
    )
    assert report.page.title.text == "4 left out: compatibility report"
    assert "Of those left out, 3 have no wheel" in words(report.page.select_one(".lead"))
    assert "25 November 2026, 09:00 UTC" in words(report.page.select_one(".eyebrow"))
    assert [words(tile) for tile in report.page.select(".tiles li")] == [
        "1 pure Python",
        "3 free-threaded wheel",
        "1 built here",
        "4 left out",
    ]
    assert report.page.select(".notice") == []


def test_a_closure_without_gaps_is_complete(tmp_path):
    closures = {"cuda": CLOSURES["cuda"]}
    report = Written(tmp_path, record(closures=closures))
    assert words(report.page.h1).startswith("Complete. 2 of the 2 packages")
    assert "good" in report.page.select_one(".verdict")["class"]
    assert not report.page.select("#wanting, #declined, #followers")


def test_what_is_left_out_says_why_and_what_does_not_work(tmp_path):
    report = Written(tmp_path, record())
    missing = report.rows("wanting")
    assert [row[0] for row in missing] == [
        "child 1.0 for cpu; asked for by grpcio",
        "cubin 0.6.14 for cpu; asked for by vLLM itself",
        "grpcio 1.76.0 for cpu; asked for by vLLM itself",
    ]
    _, why, without, index = missing[2]
    assert (why, without) == ("it has no cp314t wheel", "tracing")
    assert index.startswith("the index has wheels of abi3 only, such as grpcio-1.76.0-cp39-abi3")
    assert [words(line) for line in report.section("followers").select("li")] == [
        "proto 1.0 for cpu; asked for by grpcio"
    ]
    files = {**FILES, "grpcio": [f"1.76.0-{OURS}"]}
    (declined,) = Written(tmp_path, record(files=files)).rows("declined")
    assert declined[1:] == [
        "it has no cp314t wheel",
        "tracing",
        f"the index has grpcio-1.76.0-{OURS}",
    ]


def test_what_stands_in_backticks_is_code_and_nothing_is_markup(tmp_path):
    said = Exclusion(reason="<b> it has `x < 1`", without="`--grpc`, and more")
    exclusions = Exclusions({**EXCLUSIONS.packages, "grpcio": said}, EXCLUSIONS.extras)
    section = Written(tmp_path, record(exclusions=exclusions)).section("wanting")
    assert [code.text for code in section.select("td code")] == ["x < 1", "--grpc"]
    assert not section.select("b") and "<b> it has x < 1" in words(section)


def test_tracked_packages_stand_together(tmp_path):
    tracked = Written(tmp_path, record()).rows("tracked")
    assert [row[:2] for row in tracked] == [
        ["mistral-common 1.13.1", "pure Python"],
        ["ray 2.50.0", "left out"],
        ["DeepGEMM 1.0.0", "left out"],
        ["pplx-kernels", "left out"],
    ]
    assert tracked[3][2] == (
        "git only; it takes NVSHMEM envs/tracked.yaml; the index has no such project"
    )
    assert tracked[3][3] == "its backend"


def test_what_can_be_had_is_shown_with_its_wheel(tmp_path):
    report = Written(tmp_path, record())
    had = report.rows("had")
    assert ["aiohttp", "3.13.3", "cpu, cuda", f"aiohttp-3.13.3-{OURS}"] in had
    assert ["tvm", "0.1.10", "cuda", f"tvm-0.1.10-{OURS}"] in had
    (mistral,) = [row for row in had if row[0] == "mistral-common"]
    assert mistral[3].endswith("as it needs opencv; what does not work then: images; it is pure")
    assert [row[0] for row in report.rows("built")] == ["harmony 0.0.8"]


def test_what_has_changed_since_is_told_the_news_first(tmp_path):
    fewer = {"cpu": {n: r for n, r in CLOSURES["cpu"].items() if n != "aiohttp"}}
    before = record(ASKED - timedelta(days=3), closures={**CLOSURES, **fewer, "cuda": {}})
    files = {**FILES, "grpcio": [*FILES["grpcio"], f"1.77.0-{OURS}"]}
    report = Written(tmp_path, record(files=files), before)
    section = report.section("changes")
    assert words(section.h2) == "Since 22 November 2026, 09:00 UTC"
    assert [words(line) for line in section.select("li")] == [
        "grpcio published a cp314t wheel of 1.77.0 on 3 November 2026 better",
        "aiohttp is new: 3.13.3, free-threaded wheel",
    ]
    assert report.record.since == before.made and len(report.record.changes) == 2


def test_a_first_report_says_that_there_is_no_earlier_one(tmp_path):
    section = Written(tmp_path, record()).section("changes")
    assert "There is no earlier report here that differs." in words(section)


def test_what_nothing_explains_is_an_alert(tmp_path):
    closures = {**CLOSURES, "cpu": {**CLOSURES["cpu"], "child": ("1.0", "vllm")}}
    (notice,) = Written(tmp_path, record(closures=closures)).page.select(".notice")
    assert notice["role"] == "alert"
    assert "child 1.0, asked for by vllm" in words(notice)


def test_an_offline_report_says_how_old_its_answers_are(tmp_path):
    now = record(ASKED + timedelta(days=9), offline=True)
    (notice,) = Written(tmp_path, now).page.select(".notice")
    assert "the oldest answer here is of 25 November 2026, 09:00 UTC" in words(notice)


def test_the_page_loads_nothing_from_elsewhere(tmp_path):
    page = Written(tmp_path, record()).page
    assert not page.select("script, link, img, iframe, [src]")


def test_the_table_has_a_row_for_each_package_and_version(tmp_path):
    table = Written(tmp_path, record()).table
    assert list(table.columns) == [
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
    assert list(table.package[table.package == "tvm"]) == ["tvm", "tvm"]
    assert set(table.made) == {"2026-11-25T09:00:00+00:00"}
    grpcio = table[table.package == "grpcio"].iloc[0]
    assert (grpcio.status, grpcio.can_be_had, grpcio.other_abis) == ("left out", False, "abi3")
    assert grpcio.uploaded == "2026-11-03T00:00:00+00:00"
