"""What has changed since an earlier compatibility report, and which reports are kept."""

from datetime import timedelta

import pytest

from snakedev.reports.compat.history import changes, compare
from snakedev.reports.compat.rows import CompatRecord
from tests.unit.reports.compat_rows import ASKED, CLOSURES, FILES, GIL, LOCKS, OURS, PURE, record

CPU_ONLY = {"cpu": CLOSURES["cpu"]}


def later(days: int = 1, **options: object) -> CompatRecord:
    return record(ASKED + timedelta(days=days), **options)


def told(before: CompatRecord, after: CompatRecord) -> list[tuple[str, bool | None, str]]:
    return [(one.title, one.good, one.text) for one in changes(before, after)]


def with_files(**files: list[str]) -> dict[str, list[str]]:
    return {**FILES, **{name.replace("_", "-"): listed for name, listed in files.items()}}


def test_only_the_time_of_asking_is_no_change():
    assert told(record(), later()) == []


@pytest.mark.parametrize(
    ("files", "title", "text"),
    [
        (
            {"grpcio": [f"1.76.0-{GIL}", f"1.76.0-{OURS}"]},
            "grpcio",
            "published a cp314t wheel of 1.76.0 on 3 November 2026",
        ),
        (
            {"ray": [f"2.50.0-{GIL}", f"2.51.0rc1-{OURS}"]},
            "ray",
            "published a cp314t wheel of 2.51.0rc1 on 3 November 2026",
        ),
        (
            {"harmony": [f"0.0.8-{GIL}", f"0.0.9-{OURS}"]},
            "harmony",
            "published a cp314t wheel of 0.0.9 on 3 November 2026",
        ),
        (
            {"pplx_kernels": [f"1.0-{PURE}"]},
            "pplx-kernels",
            "published a wheel for any Python of 1.0 on 3 November 2026",
        ),
    ],
)
def test_a_wheel_that_was_published_is_told(files, title, text):
    assert (title, True, text) in told(record(), later(files=with_files(**files)))


def test_a_release_after_a_pre_release_is_told():
    locks = {**LOCKS, "cpu": {**LOCKS["cpu"], "safetensors": "0.8.0"}}
    files = with_files(safetensors=[*FILES["safetensors"], f"0.9.0-{OURS}"])
    before, after = record(locks=locks), later(locks=locks, files=files)
    assert told(before, after) == [
        ("safetensors", True, "published a cp314t wheel of 0.9.0 on 3 November 2026")
    ]


def test_a_wheel_that_is_gone_is_told():
    (change,) = told(record(), later(files=with_files(aiohttp=[f"3.13.3-{GIL}"])))
    assert change == (
        "aiohttp",
        False,
        "has less of a wheel than before: 3.13.3, wheels for the GIL only",
    )


def test_a_package_that_comes_or_goes_is_told():
    assert told(record(), later(closures=CPU_ONLY)) == []  # its other row stays
    fewer = {"cpu": {name: row for name, row in CLOSURES["cpu"].items() if name != "proto"}}
    more = told(record(closures=fewer), record(closures=CPU_ONLY))
    assert more == [("proto", None, "is new: 1.0, left out")]
    gone = told(record(closures=CPU_ONLY), record(closures=fewer))
    assert gone == [("proto", None, "is neither asked for nor tracked any more")]


def test_what_the_configuration_changes_is_told():
    before, after = record(), later(parts={"deepgemm": None})
    assert told(before, after) == [
        ("DeepGEMM", True, "was: 1.0.0, left out; is: 1.0.0, built here")
    ]
    locks = {**LOCKS, "cpu": {**LOCKS["cpu"], "aiohttp": "3.13.4"}, "cuda": {"aiohttp": "3.13.4"}}
    files = with_files(aiohttp=[*FILES["aiohttp"], f"3.13.4-{OURS}"])
    moved = told(before, later(locks=locks, files=files))
    assert ("aiohttp", None, "went from 3.13.3 to 3.13.4: 3.13.4, free-threaded wheel") in moved


def test_a_report_is_kept_when_it_differs_from_the_last(tmp_path):
    folder = tmp_path / "compat"
    assert compare(record(), folder) == (None, ())
    assert compare(later(1), folder) == (None, ())
    assert [path.name for path in folder.iterdir()] == ["2026-11-25T090000Z.json"]

    files = with_files(grpcio=[f"1.76.0-{OURS}"])
    before, found = compare(later(2, files=files), folder)
    assert before == record() and [one.name for one in found] == ["grpcio"]
    assert len(list(folder.iterdir())) == 2

    # the same again: the news stays until there are others
    before, found = compare(later(3, files=files), folder)
    assert before == record() and [one.name for one in found] == ["grpcio"]
    assert len(list(folder.iterdir())) == 2

    before, found = compare(later(4), folder)
    assert before == later(2, files=files) and [one.good for one in found] == [False]
    assert len(list(folder.iterdir())) == 3


def test_a_record_of_an_earlier_form_is_passed_over(tmp_path):
    compare(record(), tmp_path)
    (tmp_path / "2026-11-24T000000Z.json").write_text('{"rows": []}')
    (tmp_path / "2026-11-26T000000Z.json").write_text("{")
    before, found = compare(later(2, files=with_files(grpcio=[f"1.76.0-{OURS}"])), tmp_path)
    assert before == record() and len(found) == 1
