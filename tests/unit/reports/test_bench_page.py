"""The benchmark report: what a person reads on the page, and a program in the table."""

from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.config.reports import BenchReport
from snakedev.reports.bench.headline import headline
from snakedev.reports.bench.record import OFF, ON, is_busy
from snakedev.reports.bench.results import refuse_wrong_gil
from snakedev.reports.bench.server_record import percentiles
from snakedev.store.specs import BenchPin
from tests.unit.reports.bench_records import TIMES, Written, offline, part, process, record, words


def test_what_threads_give_is_said_first(tmp_path: Path) -> None:
    report = Written(tmp_path)
    # the geometric mean of 2 and 1.28, in as many threads as there are cores
    said = f"2 threads give {TIMES}1.60 with the GIL off against {TIMES}1.00 with it on."
    assert words(report.page.h1) == said
    lead = words(report.page.select_one(".lead"))
    assert "geometric mean over 2 parts" in lead and "Z80, 2 cores" in lead
    assert "200 (GIL off), 190 (GIL on) and 220 (stock wheel) tokens in a second" in lead
    assert report.page.select_one(".verdict")["class"] == ["verdict", "good"]


def test_no_gain_is_not_told_as_one(tmp_path: Path) -> None:
    report = Written(tmp_path, record(threads=[part("tokenise", 1.05, 1.0)]))
    assert report.page.select_one(".verdict")["class"] == ["verdict", "warned"]


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        (("threads",), "Offline, vLLM writes 200 tokens/s with the GIL off against 190 with it on"),
        (("threads", "offline"), "Importing vLLM takes 11.0 s with the GIL off"),
    ],
)
def test_a_run_of_some_parts_is_told_by_those(
    tmp_path: Path, left_out: tuple[str, ...], said: str
) -> None:
    report = Written(tmp_path, record(**dict.fromkeys(left_out, ())))
    assert words(report.page.h1).startswith(said)
    # there is no gain to judge
    assert report.page.select_one(".verdict")["class"] == ["verdict", "plain"]


def test_scaling_is_told_with_its_spread_and_beside_the_ideal(tmp_path: Path) -> None:
    report = Written(tmp_path)
    at = next(n for n, row in enumerate(report.rows) if row[0] == "tokenise")
    off, on = report.rows[at : at + 2]
    assert off[1] == "off" and off[2] == "1.00 k tokens/s"
    assert off[3] == f"{TIMES}2.00 (1.80 to 2.40) 2.00 k tokens/s, 100% of ideal"
    # of two cores, four threads can make two at most
    assert off[4] == f"{TIMES}2.00 (2.00 to 2.00) 2.00 k tokens/s, 100% of ideal"
    assert on[3].startswith(f"{TIMES}1.00") and "50% of ideal" in on[3]
    assert "Weak scaling" in report.text
    labels = [figure["aria-label"] for figure in report.page.select("svg")]
    assert "Speed-up over one thread, by threads" in labels
    drawn = report.page.select_one("figure svg").get_text()
    assert "ideal, up to the cores" in drawn and "masks (xgrammar)" in drawn


def test_one_thread_is_compared_with_the_ordinary_python(tmp_path: Path) -> None:
    report = Written(tmp_path)
    row = ["tokenise tokens/s", "1.00 k", "1.00 k", "1.25 k", f"{TIMES}0.80", f"{TIMES}0.80"]
    assert row in report.rows
    tiles = [words(tile) for tile in report.page.select(".tiles li")]
    assert f"{TIMES}0.80 one thread, GIL off over ordinary Python 3.11.7" in tiles


def test_offline_stands_with_all_contenders(tmp_path: Path) -> None:
    report = Written(tmp_path)
    assert [
        "own process", OFF, "200 (190 to 220)", f"{TIMES}1.05", "30 s", "1.00 GB", "1",
    ] in report.rows  # fmt: skip


def test_a_busy_machine_and_a_missing_stock_wheel_are_said(tmp_path: Path) -> None:
    quiet = Written(tmp_path)
    assert not quiet.page.select(".notice") and not quiet.page.select(".pill.warn")
    busy = Written(tmp_path, record(load_average=3.5, without_stock="no such wheel <1>"))
    assert "its load average was 3.5, more than 25% of 2 cores" in busy.text
    assert "no such wheel <1>" in busy.text
    assert words(busy.page.select_one("td .pill")) == "busy"


def test_work_folders_are_named(tmp_path: Path) -> None:
    report = Written(tmp_path, record(work={"vllm": "c" * 40}))
    assert "work/vllm , tree cccccccccccc" in report.text


def test_all_runs_are_listed_and_told_apart_by_machine_and_pin(tmp_path: Path) -> None:
    pins = {"vllm": BenchPin(version="0.27.0", source_key="cd" * 8, patches=6)}
    later = {"started": "2024-06-06T07:08:09+00:00"}
    more = BenchReport(prompts=64)
    runs = (
        record(),
        record(**later),
        record(pins=pins, **later),
        record(cores=16),
        record(settings=more),
    )
    report = Written(tmp_path, *runs)
    listed = [row for row in report.rows if row[0] in "54321" and len(row) == 8]
    assert [row[1] for row in listed] == ["D", "C", "B", "A", "A"]
    assert "0.27.0, source cdcdcdcd" in listed[2][3] and listed[1][4] == "Z80, 16 cores"
    assert report.record.runs == {"cpu": tuple(run.started for run in runs)}
    assert set(report.table.vllm) == {"0.26.0", "0.27.0"} and set(report.table.cores) == {2, 16}
    labels = [figure["aria-label"] for figure in report.page.select("svg")]
    assert "All runs, in their order" in labels


def test_the_table_has_every_figure(tmp_path: Path) -> None:
    table = Written(tmp_path).table
    rows = table[(table.part == "tokenise") & (table.contender == OFF)]
    rates = rows[rows.measure == "speed-up"].set_index("threads")
    assert float(rates.loc["2"]["median"]) == pytest.approx(2.0)
    assert (float(rates.loc["2"].low), float(rates.loc["2"].high)) == pytest.approx((1.8, 2.4))
    assert set(table.part) == {"tokenise", "masks (xgrammar)", "import", "offline"}


def test_the_page_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    page = Written(tmp_path).page
    assert not page.select("script, link, img, iframe, [src]")
    assert "@import" not in page.style.text and "url(" not in page.style.text


def test_figures_of_the_wrong_gil_are_refused() -> None:
    refuse_wrong_gil(record())
    interpreter = record().interpreters[0].model_copy(update={"gil_enabled": True})
    with pytest.raises(UserError, match=r"^GIL off: the GIL is on in: its interpreter$"):
        refuse_wrong_gil(record(interpreters=[interpreter]))
    engine = offline(ON, "own process", 1).model_copy(
        update={"processes": (process("worker 0", False),)}
    )
    with pytest.raises(UserError, match=r"^GIL on: the GIL is off in: worker 0$"):
        refuse_wrong_gil(record(offline=[engine]))


def test_percentiles_are_over_all_that_was_measured() -> None:
    found = percentiles(number / 1000 for number in range(101))
    assert (found.p50, found.p99, found.count) == pytest.approx((50, 99, 101))
    assert percentiles([0.2]).p99 == pytest.approx(200)
    with pytest.raises(ValueError, match="no latencies"):
        percentiles([])


def test_busy_is_a_share_of_the_cores() -> None:
    assert is_busy(0.6, 2) and not is_busy(0.4, 2) and not is_busy(3.9, 16)


def test_the_threads_of_the_headline_are_those_of_the_cores() -> None:
    assert record().headline_threads() == 2
    assert record(cores=4).headline_threads() == 4
    # more threads than cores, and nothing else
    assert record(cores=1).headline_threads() == 4
    assert record(threads=()).headline_threads() is None
    assert headline(record(cores=4)).startswith("4 threads give")
