"""The history report: pins that were built in a store, with the newest run of each."""

import pandas as pd

from snakedev.reports.history.page import headline, look_back, write_report
from snakedev.store.layout import Layout
from tests.unit.reports.smoke_records import run, wheel


def test_every_pin_of_the_store_is_told_with_its_newest_wheel_and_run(tmp_path):
    layout = Layout(root=tmp_path / "results", store=tmp_path / "store")
    older = {"version": "0.20.0+cpu", "pin": {"sha256": "c" * 64}}
    for number, made in enumerate(
        (
            wheel(built="2024-05-06T00:00:00+00:00"),
            wheel(built="2024-05-07T00:00:00+00:00", patches=(), size=5),
            wheel(**older),
            wheel("tokenizers", variant="any", version="0.23.3", gil={"tokenizers": "on"}),
        )
    ):
        made.write(layout.wheel(made.variant, made.repo, f"{number:016x}") / "wheel.json")
    done = run(versions={"vllm": "0.26.0+cpu"})
    done.write(layout.shared / f"smoke/cpu/{done.model}/{1:016x}/smoke.json")
    (layout.wheel("cpu", "vllm", "f" * 16)).mkdir(parents=True)
    (layout.wheel("cpu", "vllm", "f" * 16) / "wheel.json").write_text("{}")

    record = look_back(layout)
    assert headline(record) == "vLLM 0.26.0+cpu, 0.20.0+cpu, and 1 other repo."
    assert record.unread == 1
    newest, earlier, other = record.pins
    assert (newest.version, newest.wheels, newest.patches, newest.size) == ("0.26.0+cpu", 2, 0, 5)
    assert newest.passed and newest.gil_off and newest.tokens_per_second
    assert (earlier.version, earlier.passed, earlier.gil_on) == ("0.20.0+cpu", None, 0)
    assert (other.repo, other.gil_on) == ("tokenizers", 1)

    write_report(record, tmp_path / "reports")
    table = pd.read_csv(tmp_path / "reports/history.csv").set_index("version")
    assert table.wheels["0.26.0+cpu"] == 2


def test_a_store_in_which_nothing_was_built(tmp_path):
    record = look_back(Layout(root=tmp_path))
    assert headline(record) == "Nothing was built in this store."
    write_report(record, tmp_path / "reports")
