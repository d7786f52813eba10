"""The benchmark report: what a person reads on the page, and a program in the table."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from bs4 import BeautifulSoup, Tag

from snakedev.base.errors import UserError
from snakedev.config.reports import BenchReport
from snakedev.reports.bench.headline import headline
from snakedev.reports.bench.page import BenchReportRecord, write_report
from snakedev.reports.bench.record import (
    OFF,
    ON,
    STOCK,
    BenchRecord,
    EngineProcess,
    ImportTime,
    Interpreter,
    Latency,
    OfflineResult,
    ScalingPart,
    ScalingPoint,
    ServerLoad,
    ServerProcesses,
    ServerResult,
    is_busy,
    percentiles,
)
from snakedev.reports.bench.results import refuse_wrong_gil
from snakedev.store.specs import BenchPin

TIMES = "\N{MULTIPLICATION SIGN}"
REFUSAL = "Running EngineCore in asyncio without multiprocessing is not currently supported."


def part(name: str, off: float, on: float) -> ScalingPart:
    """A part that does 1000 a second in one thread, and so many times that in two."""
    points = [
        ScalingPoint(contender=OFF, threads=2, rates=[900 * off, 1000 * off, 1200 * off]),
        ScalingPoint(contender=OFF, threads=1, rates=[1000, 990, 1010]),
        ScalingPoint(contender=ON, threads=1, rates=[1000, 1000, 1000]),
        ScalingPoint(contender=ON, threads=2, rates=[1000 * on] * 3),
        ScalingPoint(contender=OFF, threads=4, rates=[1000 * off] * 3),
        ScalingPoint(contender=ON, threads=4, rates=[1000 * on] * 3),
        ScalingPoint(contender=STOCK, threads=1, rates=[1250, 1250, 1250]),
    ]
    return ScalingPart(name=name, unit="tokens", points=points)


def process(role: str, gil: bool | None, pss: int = 500_000_000) -> EngineProcess:
    return EngineProcess(role=role, gil=gil, rss=pss, pss=pss, threads=4)


def offline(contender: str, mode: str, speed: float) -> OfflineResult:
    return OfflineResult(
        mode=mode,
        contender=contender,
        load_seconds=30,
        tokens_per_second=[speed - 10, speed, speed + 20],
        processes=[process("front end", contender != OFF), process("resource tracker", None)],
    )


def load(contender: str, clients: int, requests: float) -> ServerLoad:
    return ServerLoad(
        contender=contender,
        clients=clients,
        requests_per_second=[requests, requests, requests + 1],
        tokens_per_second=[32 * requests] * 3,
        ttft=Latency(p50=120, p99=1900, count=12),
        tpot=Latency(p50=50, p99=80, count=12),
        itl=Latency(p50=49, p99=95, count=372),
    )


def record(**more: Any) -> BenchRecord:
    names = (OFF, ON, STOCK)
    values = {
        "key": "0123456789abcdef",
        "variant": "cpu",
        "model": "smollm2-135m",
        "environment_key": "fedcba9876543210",
        "started": "2024-05-06T07:08:09+00:00",
        "seconds": 700.0,
        "machine": {"cpu": "Z80", "memory": "64 KiB"},
        "cores": 2,
        "load_average": 0.1,
        "pins": {"vllm": BenchPin(version="0.26.0", source_key="ab" * 8, patches=6)},
        "settings": BenchReport(rounds=3),
        "interpreters": [
            Interpreter(
                name=name,
                python="3.11.7" if name == STOCK else "3.14.9",
                free_threaded=name != STOCK,
                gil_enabled=name != OFF,
                versions={"vllm": "0.26.0"},
            )
            for name in names
        ],
        "without_stock": None,
        "threads": [part("tokenise", 2.0, 1.0), part("masks (xgrammar)", 1.28, 1.0)],
        "imports": [
            ImportTime(contender=n, seconds=[10, 11, 12], pss=900_000_000, rss=1) for n in names
        ],
        "offline": [
            *(
                offline(name, "own process", speed)
                for name, speed in zip(names, (200, 190, 220), strict=True)
            ),
            *(offline(name, "one process", 250) for name in names),
        ],
        "server": ServerResult(
            loads=[load(name, clients, 0.5 * clients) for name in names for clients in (1, 16)],
            servers=[
                ServerProcesses(
                    contender=name,
                    start_seconds=40,
                    processes=[process("front end", name != OFF), process("worker 0", name != OFF)],
                )
                for name in names
            ],
            one_process=REFUSAL,
        ),
    }
    return BenchRecord(**{**values, **more})


class Written:
    """A report as it was written: its record, its page and its table."""

    def __init__(self, folder: Path, *runs: BenchRecord):
        runs = runs or (record(),)
        reports = folder / "reports"
        self.record: BenchReportRecord = write_report(runs[-1:], {"cpu": runs}, reports)
        self.page = BeautifulSoup((reports / "bench.html").read_bytes(), "html.parser")
        self.table = pd.read_csv(reports / "bench.csv", keep_default_na=False)

    @property
    def text(self) -> str:
        return words(self.page.body)

    @property
    def rows(self) -> list[list[str]]:
        return [[words(cell) for cell in row.select("th, td")] for row in self.page.select("tr")]


def words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def test_what_threads_give_is_said_first(tmp_path: Path) -> None:
    report = Written(tmp_path)
    # the geometric mean of 2 and 1.28, in as many threads as there are cores
    said = f"2 threads give {TIMES}1.60 with the GIL off against {TIMES}1.00 with it on."
    assert words(report.page.h1) == said
    lead = words(report.page.select_one(".lead"))
    assert "geometric mean over 2 parts" in lead and "Z80, 2 cores" in lead
    assert "200 (GIL off), 190 (GIL on) and 220 (stock wheel) tokens in a second" in lead
    assert (
        "Under 16 clients, its server answers 8.00 (GIL off), 8.00 (GIL on) and 8.00 (stock" in lead
    )
    assert report.page.select_one(".verdict")["class"] == ["verdict", "good"]


def test_no_gain_is_not_told_as_one(tmp_path: Path) -> None:
    report = Written(tmp_path, record(threads=[part("tokenise", 1.05, 1.0)]))
    assert report.page.select_one(".verdict")["class"] == ["verdict", "warned"]


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        (("threads",), "Offline, vLLM writes 200 tokens/s with the GIL off against 190 with it on"),
        (("threads", "offline"), "Under 16 clients, the server answers 8.00 requests/s with the"),
        (("threads", "offline", "server"), "Importing vLLM takes 11.0 s with the GIL off"),
    ],
)
def test_a_run_of_some_parts_is_told_by_those(
    tmp_path: Path, left_out: tuple[str, ...], said: str
) -> None:
    nothing = {name: None if name == "server" else () for name in left_out}
    report = Written(tmp_path, record(**nothing))
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


def test_offline_and_server_stand_with_all_contenders(tmp_path: Path) -> None:
    report = Written(tmp_path)
    assert [
        "own process", OFF, "200 (190 to 220)", f"{TIMES}1.05", "30 s", "1.00 GB", "1",
    ] in report.rows  # fmt: skip
    first = ["16", OFF, "8.00 (8.00 to 9.00)", "256", "120 / 1,900", "50 / 80", "49 / 95"]
    assert first in report.rows
    assert [STOCK, "8.00 (8.00 to 9.00)"] in [row[1:3] for row in report.rows]
    assert REFUSAL in report.text and "front end and worker 0" in report.text


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
    assert set(table.part) == {"tokenise", "masks (xgrammar)", "import", "offline", "server"}
    p99 = table[(table.measure == "ttft p99") & (table.clients == "16")]
    assert list(p99["median"].astype(float)) == [1900.0] * 3 and set(p99.unit) == {"ms"}


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
