"""The smoke report: what a person reads on the page, and a program in the table."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from bs4 import BeautifulSoup, Tag

from snakedev.base.errors import UserError
from snakedev.environments.environment import EnvironmentRecord, Package
from snakedev.inference.smoke_record import (
    SmokeRecord,
    ThroughputResult,
)
from snakedev.reports.smoke.page import Reported, SmokeReportRecord, write_report
from snakedev.store.specs import WheelInput
from snakedev.wheels.upstream_kernels import BorrowedKernels, KernelLibrary
from tests.unit.reports.smoke_records import (
    TEXTS,
    crashed,
    processes,
    run,
    wheel,
)

ENVIRONMENT = EnvironmentRecord(
    key="0" * 16,
    name="run-cpu",
    lock="run-cpu.lock",
    lock_digest="0" * 16,
    python="3.14.1",
    packages=(
        Package(name="torch", version="2.11.0+cpu", built_here=False),
        Package(name="vllm", version="0.26.0+cpu", built_here=True),
    ),
    wheels=(WheelInput(repo="vllm", variant="cpu", key="0" * 16),),
    cuda_toolkit=None,
    conflicts=(),
    bytes=1,
    seconds=1.0,
)


class Written:
    """A report as it was written: its record, its page and its table."""

    def __init__(self, folder: Path, *runs: SmokeRecord, **more: Any):
        told = {"wheels": (wheel(),), "environments": (ENVIRONMENT,), "left_out": {}, "skipped": {}}
        reports = folder / "reports"
        reported = Reported(runs=runs or (run(),), **{**told, **more})
        self.record: SmokeReportRecord = write_report(reported, "key", reports)
        self.page = BeautifulSoup((reports / "smoke.html").read_bytes(), "html.parser")
        self.table = pd.read_csv(reports / "smoke.csv")

    @property
    def text(self) -> str:
        """All that is shown, with white space as a browser shows it."""
        return words(self.page.body)

    def section(self, name: str) -> str:
        """What stands in the part of the page with a heading of this id."""
        return words(self.page.find(id=name).find_parent("section"))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The report of one good run."""
    return Written(tmp_path_factory.mktemp("good"))


def test_borrowed_kernels_are_named_with_their_wheel(tmp_path, good):
    library = KernelLibrary(member="vllm/_C.abi3.so", device_code=("sm_90a", "compute_80"))
    borrowed = BorrowedKernels(
        name="vllm",
        version="0.26.0",
        sha256="c" * 64,
        file="vllm-0.26.0-cp38-abi3-manylinux_2_28_x86_64.whl",
        libraries=(library,),
        left_out={"vllm/third_party/deep_gemm/_C": "it is made for another ABI of Python"},
    )
    page = Written(tmp_path, wheels=(wheel(borrowed=borrowed), wheel("safetensors")))
    said = page.section("wheels")
    assert f"not compiled here, but taken from vllm 0.26.0, {borrowed.file} , cccccccc" in said
    assert "vllm/_C.abi3.so: sm_90a, compute_80" in said
    assert "without vllm/third_party/deep_gemm/_C: it is made for" in said
    assert "2 wheels built, 1 with borrowed kernels" in page.text
    assert "1 wheels built from source" in good.text and "not compiled" not in good.text


def words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def test_a_good_run_is_told_in_the_first_lines(good: Written) -> None:
    assert good.record == SmokeReportRecord(key="key", passed=True, runs=("cpu/smollm2-135m",))
    assert good.page.title.text == "Passed: smoke report"
    assert words(good.page.h1) == "Passed. smollm2-135m answers with the GIL off."
    lead = words(good.page.select_one(".lead"))
    for part in ("vLLM 0.26.0+cpu", "torch 2.11.0+cpu", "Python 3.14.1,", "A CPU", "8 cores"):
        assert part in lead
    assert "Failed" not in good.text and good.page.find(role="alert") is None


def test_a_run_with_a_sanitizer_says_so(tmp_path, good: Written) -> None:
    built = wheel(interpreter={"version": "3.14", "sanitizer": "thread"})
    sanitized = Written(tmp_path, wheels=(built,))
    assert "Python 3.14.1 with ThreadSanitizer, on" in words(sanitized.page.select_one(".lead"))
    assert "ThreadSanitizer" not in good.text


def test_the_numbers_looked_for_first_are_at_the_top(good: Written) -> None:
    tiles = [words(tile) for tile in good.page.select(".tiles li")]
    assert tiles == [
        "3 of 3 processes with the GIL off",
        "14 s from start to first token",
        "102/s new tokens, whole batch",
        "2.34 GB memory at the most",
        "1 wheels built from source",
    ]


def test_prompts_and_answers_are_shown_as_they_were(good: Written) -> None:
    first, second = good.page.select(".answers li")
    assert first.p.text == "The capital of France is Paris, of course."
    assert first.mark.text == "Paris"
    assert "holds “Paris”" in words(first)
    assert "32 new tokens in 1.25 s" in words(first)
    # what a model says is text, never markup
    assert second.p.text == "Is 1 < 2 & 2 > 1? <b>Yes</b> & so on"
    assert second.b is None
    assert "any answer will do" in words(second)


def test_the_gil_of_every_process_is_shown(tmp_path: Path) -> None:
    report = Written(tmp_path, run(states=processes("engine core")))
    rows = [[words(cell) for cell in row.select("th, td")] for row in report.page.select("tr")]
    assert ["front end", "off", "0", "123", "1.50 GB"] in rows
    assert ["engine core", "on", "0", "123", "1.50 GB"] in rows
    assert "2 of 3 processes with the GIL off" in report.text
    assert "GIL : it is on in: engine core" in report.text.replace("GIL:", "GIL :")


def test_a_run_that_needed_the_setting_says_so(good: Written) -> None:
    assert "PYTHON_GIL=0 kept it off there" in good.text
    assert "`snakemake gil_report` says which modules would turn it on" in good.text


def test_a_run_that_needs_no_setting_says_so(tmp_path: Path) -> None:
    free = run(states=processes(setting=None), gil_forced=False, variables={})
    report = Written(tmp_path, free)
    assert "PYTHON_GIL was not set: no module that was loaded needs the GIL." in report.text
    assert "kept it off there" not in report.text
    assert ["front end", "off", "not set", "123", "1.50 GB"] in [
        [words(cell) for cell in row.select("th, td")] for row in report.page.select("tr")
    ]


def test_a_run_in_which_a_module_turned_the_gil_on_names_no_innocent(tmp_path: Path) -> None:
    states = processes("engine core", setting=None)
    report = Written(tmp_path, run(states=states, gil_forced=False, variables={}))
    assert "a module that was loaded turned the GIL on: `snakemake gil_report`" in report.text
    assert "no module that was loaded needs" not in report.text


def test_a_wheel_is_shown_with_where_it_came_from(tmp_path: Path) -> None:
    commit = "c" * 40
    pin = {"url": "https://forge.test/x", "commit": commit, "submodules": False}
    patched, plain = wheel(), wheel("plain", origin="git", pin=pin, patches=(), network="open")
    report = Written(tmp_path, wheels=(patched, plain))
    first, second = (words(card) for card in report.page.select(".wheels article"))
    for part in (
        "vllm 0.26.0+cpu",
        "release",
        "bbbbbbbbbbbbbbbb…",
        "Build without the GIL",
        patched.file,
        "22.2 MB, key fedcba9876543210",
        "6 May 2024, 07:08 UTC in 1 h 04 min, network cut off",
        "g++ 12.2.0 x86_64-linux-gnu, rustc 1.90.0",
    ):
        assert part in first
    assert "commit of https://forge.test/x cccccccccccccccc…" in second
    assert "patches none" in second
    assert "with the network open" in second
    assert "brings the GIL back" not in first + second
    assert "Building took 2 h 08 min" in report.text


def test_a_report_without_wheels_says_that_none_was_built(tmp_path: Path) -> None:
    report = Written(tmp_path, wheels=())
    assert "None: every package came from the package index." in report.section("wheels")
    assert "0 wheels built from source" in report.text


def test_the_environment_is_shown_with_its_packages(tmp_path: Path) -> None:
    conflicts = ("`vllm` requires `rusty`",)
    short = ENVIRONMENT.model_copy(update={"name": "run-other", "conflicts": conflicts})
    report = Written(tmp_path, environments=(ENVIRONMENT, short))
    shown = report.section("environment")
    assert "run-cpu, Python 3.14.1 free-threaded" in shown
    assert "2, of them built here: vllm" in shown
    assert "torch 2.11.0+cpu" in shown
    assert "none found by uv pip check" in shown
    assert "`vllm` requires `rusty`" in shown


def test_repos_that_were_left_out_are_named_with_the_reason(tmp_path: Path, good: Written) -> None:
    reason = "this machine has no rustc and no cargo"
    report = Written(tmp_path, left_out={"safetensors": reason})
    assert f"Left out on this machine safetensors : {reason}" in report.text
    assert report.record.passed
    assert "Left out" not in good.text


def test_variants_that_were_not_run_are_named_with_the_reason(tmp_path: Path) -> None:
    reason = "this machine has no NVIDIA GPU that answers"
    report = Written(tmp_path, skipped={"cuda": reason})
    assert f"Not run on this machine cuda : {reason}" in report.text
    assert report.record.passed


def test_a_wheel_says_what_it_was_built_without(tmp_path: Path) -> None:
    without = {"flashmla": "it has no release"}
    report = Written(tmp_path, wheels=(wheel(without=without),))
    assert "without flashmla: it has no release" in report.text


def test_a_run_that_crashed_is_shown_with_the_engines_last_lines(tmp_path: Path) -> None:
    report = Written(tmp_path, crashed())
    assert not report.record.passed
    assert report.page.title.text == "Failed: smoke report"
    assert words(report.page.h1) == "Failed. 4 of 4 checks did not hold."
    alert = words(report.page.find(role="alert"))
    assert "cpu/smollm2-135m , engine: python ended with exit status 1" in alert
    assert "answer to 'The capital of France is': there was none" in alert
    assert "RuntimeError: no <kernel> for this CPU" in report.page.pre.text
    assert "none from start to first token" in report.text


def test_one_wrong_answer_is_shown_where_it_stands(tmp_path: Path) -> None:
    report = Written(tmp_path, run(texts=(" Lyon.", TEXTS[1])), run(model="other"))
    assert words(report.page.h1) == "Failed. 1 of 8 checks did not hold."
    wrong = report.page.select_one(".answers li")
    assert "'Lyon.' does not hold 'Paris'" in words(wrong)
    assert wrong.mark is None
    states = [words(heading.select_one(".pill")) for heading in report.page.select("h2[id^=run]")]
    assert states == ["failed", "passed"]
    assert report.record.runs == ("cpu/smollm2-135m", "cpu/other")


def test_the_slowest_and_largest_of_several_runs_count(tmp_path: Path) -> None:
    slow = ThroughputResult(prompts=16, tokens=1024, rounds=(100.0,))
    report = Written(tmp_path, run(), run(model="other", throughput=slow, peak_memory=10**10))
    assert words(report.page.h1) == "Passed. smollm2-135m and other answer with the GIL off."
    assert "10/s new tokens" in report.text
    assert "10.0 GB memory" in report.text
    assert "6 of 6 processes" in report.text


def test_figures_can_be_read_without_seeing_them(good: Written) -> None:
    figures = good.page.select("figure svg")
    assert len(figures) == 8  # four, each for a desk and for a phone
    assert all(figure["role"] == "img" and figure["aria-label"] for figure in figures)
    labels = {figure["aria-label"] for figure in figures}
    assert "Throughput: 102 tokens a second" in labels


def test_no_figure_draws_with_parts_of_another(good: Written) -> None:
    seen: set[str] = set()
    for figure in good.page.select("figure svg"):
        used = set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", str(figure)))
        assert used <= {tag["id"] for tag in figure.find_all(id=True)}
        assert not used & seen
        seen |= used
    assert seen


def test_the_page_loads_nothing_from_elsewhere(good: Written) -> None:
    assert not good.page.select("script, link, img, iframe, [src]")
    style = "".join(tag.text for tag in good.page.find_all("style"))
    assert "@import" not in style
    assert not re.findall(r"url\((?!['\"]?#)", str(good.page))


def test_how_it_was_run_is_there_to_be_looked_up(good: Written) -> None:
    shown = good.section("run1")
    for part in (
        "PYTHON_GIL=0",
        'dtype="float32", max_model_len=2048',
        "6 May 2024, 07:08 UTC",
        "1 min 35 s",
        "0123456789abcdef",
    ):
        assert part in shown


def test_the_table_has_a_row_for_each_answer(tmp_path: Path) -> None:
    wrong = run(texts=(" Lyon.", TEXTS[1]), states=processes("worker 0"), model="other")
    table = Written(tmp_path, run(), wrong).table
    assert list(table.columns) == [
        "variant",
        "model",
        "key",
        "started",
        "run_passed",
        "gil_off",
        "processes",
        "start_to_first_token_s",
        "tokens_per_s",
        "peak_memory_bytes",
        "python",
        "vllm",
        "torch",
        "prompt",
        "expect",
        "answer",
        "answer_passed",
        "prompt_tokens",
        "tokens",
        "seconds",
    ]
    assert list(table.model) == ["smollm2-135m"] * 2 + ["other"] * 2
    assert list(table.answer) == [*TEXTS, " Lyon.", TEXTS[1]]
    assert list(table.answer_passed) == [True, True, False, True]
    assert list(table.run_passed) == list(table.gil_off) == [True, True, False, False]
    assert set(table.tokens_per_s) == {102.4}
    assert set(table.peak_memory_bytes) == {2_340_000_000}
    assert table.expect[0] == "Paris" and pd.isna(table.expect[1])


def test_a_run_without_answers_has_a_row_too(tmp_path: Path) -> None:
    table = Written(tmp_path, run(), crashed()).table
    assert list(table.run_passed) == [True, True, False]
    last = table.iloc[2]
    assert not last.gil_off
    assert pd.isna(last.answer) and pd.isna(last.tokens_per_s)


def test_the_table_has_the_same_columns_when_every_run_failed(
    tmp_path: Path, good: Written
) -> None:
    assert list(Written(tmp_path, crashed()).table.columns) == list(good.table.columns)


def test_a_report_of_no_run_says_which_keys_to_fill(tmp_path: Path) -> None:
    nothing = Reported(runs=[], wheels=[], environments=[], left_out={}, skipped={})
    with pytest.raises(UserError, match=r"smoke\.models ask for no run"):
        write_report(nothing, "key", tmp_path)
