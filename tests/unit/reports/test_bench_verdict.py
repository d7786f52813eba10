"""What the benchmark report says first of servers, and shows of them."""

from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.reports.bench.headline import headline, state
from snakedev.reports.bench.record import OFF, ON, STOCK
from snakedev.reports.bench.results import refuse_wrong_gil
from snakedev.reports.bench.server_record import ServerResult
from snakedev.reports.bench.server_section import server_section
from tests.unit.reports.bench_records import TIMES, Written, record, servers, under, words

TWO = f"{STOCK}, 2 API servers"
ONE = f"{OFF}, one process, 2 loops"


def measured(ours: float, gb: float = 3, **more: object) -> ServerResult:
    """Servers of which the fastest stock one answers 100 requests a second under each load."""
    return servers(
        *(under(STOCK, load, 80) for load in ("short", "embeddings")),
        *(under(TWO, load, 100) for load in ("short", "embeddings")),
        under(ON, "short", 70),
        under(OFF, "short", 75),
        under(ONE, "short", ours, gb),
        under(ONE, "embeddings", 104, gb),
        **more,
    )


def test_that_it_pays_is_said_first_and_shown_for_each_load(tmp_path: Path) -> None:
    server = measured(150, gb=1.5, left_out={f"{OFF}, one process": "this vLLM <cannot>"})
    report = Written(tmp_path, record(server=server, offline=()))
    assert words(report.page.h1) == (
        f"For a server, free threading pays: {TIMES}1.50 the requests per second of the stock "
        "wheel, 2 API servers, under the load “short”."
    )
    lead = words(report.page.select_one(".lead"))
    assert f"That is “{ONE}”." in lead
    assert f"the best with the GIL off makes {TIMES}1.04 under “embeddings”" in lead
    beside_one = f"with one API server process it makes {TIMES}1.88 under “short” and {TIMES}1.30"
    assert f"Beside the stock wheel {beside_one} under “embeddings”." in lead
    assert "All processes together take 1.50 GB instead of 3.00 GB." in lead
    assert f"2 threads give {TIMES}1.60" in lead
    assert report.page.select_one(".verdict")["class"] == ["verdict", "good"]

    assert [
        TWO, "100.0 90.0 to 110.0", f"{TIMES}1.25", "120 p99 1,900", "4.2 p99 95.0", "20.0",
        "3.00 GB", "41 s",
    ] in report.rows  # fmt: skip
    assert [row[4] for row in report.rows if row[:2] == [ONE, "104.0 93.6 to 114.4"]] == [""]
    assert "GIL off, one process: this vLLM <cannot>" in report.text
    assert "32 clients at once, 64 requests in a round" in report.text
    assert "Python 3.14.9 free-threading build [GCC 10.2.1]" in report.text
    assert "was busy all the time" not in report.text
    labels = [figure["aria-label"] for figure in report.page.select("svg")]
    assert "Requests per second under the load short, in the median round" in labels

    table = report.table[(report.table.part == "server") & (report.table.contender == ONE)]
    found = table[table["mode"] == "short"].set_index("measure")["median"].astype(float)
    assert found["requests"] == 150 and found["ttft p99"] == 1900 and found["itl p50"] == 4.25
    assert found["memory (pss)"] == 1.5e9
    assert [*table[table.measure == "start time"]["median"].astype(float)] == [41]


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (
            measured(90),
            f"does not pay: at best {TIMES}1.04 the requests per second of the stock wheel, 2",
        ),
        (measured(90, gb=2), f"saves memory, and no time: at best {TIMES}1.04 the requests"),
        # a gain that one round denies is none
        (
            servers(
                under(STOCK, "short", 100),
                under(OFF, "short", 100, requests_per_second=[150, 80, 180]),
            ),
            f"does not pay: at best {TIMES}1.50",
        ),
        (servers(under(STOCK, "short", 100)), "No servers were measured that differ in the GIL"),
    ],
)
def test_that_it_does_not_pay_is_said_as_plainly(server: ServerResult, said: str) -> None:
    run = record(server=server)
    assert said in headline(run) and state(run) == "warned"


def test_a_client_that_was_the_limit_is_said() -> None:
    fast = under(OFF, "short", 900, client_share=0.97)
    shown = server_section(record(server=servers(under(STOCK, "short", 100), fast)))
    assert [one["limited"] for one in shown["loads"]] == [OFF]


def test_servers_of_the_wrong_gil_are_refused() -> None:
    right = measured(100)
    refuse_wrong_gil(record(server=right))
    last = right.servers[-1]
    wrong = last.processes[0].model_copy(update={"gil": True})
    changed = last.model_copy(update={"processes": (wrong,)})
    with pytest.raises(UserError, match=rf"^{ONE}: the GIL is on in: front end$"):
        refuse_wrong_gil(record(server=right.model_copy(update={"servers": (changed,)})))
