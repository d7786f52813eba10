"""The GIL report: what a person reads on the page, and a program in the table."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from bs4 import BeautifulSoup, Tag

from snakedev.base.errors import UserError
from snakedev.reports.gil.extension_file import FileEvidence
from snakedev.reports.gil.page import GilReportRecord, declaration, write_report
from snakedev.reports.gil.record import EntryTrial, GilRecord, ModuleTrial, OffenderImport

TRITON = "triton._C.libtriton"
CHAIN = ("vllm", "vllm.triton_utils", "triton", TRITON)
ENTRIES = ("from vllm import LLM", "vllm serve", "engine core", "worker")


def module(name: str, outcome: str = "off", **more: Any) -> ModuleTrial:
    values = {
        "module": name,
        "file": f"{name.replace('.', '/')}.so",
        "distribution": name.partition(".")[0],
        "version": "3.6.0",
        "url": f"https://forge.test/{name.partition('.')[0]}",
        "built_here": False,
        "patches": (),
        "evidence": FileEvidence(abi=None, init="multi-phase", sets_gil=False),
        "declares": "not used" if outcome == "off" else None,
        "outcome": outcome,
        "needs": None,
        "seconds": 0.25,
        "detail": "",
    }
    return ModuleTrial(**{**values, **more})


def entry(name: str, outcome: str = "off", **more: Any) -> EntryTrial:
    values = {
        "name": name,
        "code": f"import {name}",
        "outcome": outcome,
        "first": None,
        "offenders": (),
        "extensions": 99,
        "seconds": 12.5,
        "detail": "",
    }
    return EntryTrial(**{**values, **more})


def on(name: str) -> EntryTrial:
    offender = OffenderImport(module=TRITON, chain=CHAIN, importers=("torch._dynamo", "vllm.x"))
    return entry(name, "on", first=TRITON, offenders=(offender,))


OURS = module(
    "vllm._C",
    built_here=True,
    version="0.26.0+cpu",
    patches=("0004-Declare.patch",),
    needs="torch",
)
GOOD_MODULES = (module("numpy._core._multiarray_umath"), OURS)
OFFENDER = module(TRITON, "on", declares="no slot")


def trial(entries: tuple[EntryTrial, ...] | None = None, **more: Any) -> GilRecord:
    values = {
        "key": "0123456789abcdef",
        "variant": "cpu",
        "environment": "run-cpu",
        "python": "3.14.9",
        "vllm": "0.26.0+cpu",
        "entries": tuple(map(entry, ENTRIES)) if entries is None else entries,
        "modules": GOOD_MODULES,
        "started": "2024-05-06T07:08:09+00:00",
        "seconds": 150.0,
    }
    return GilRecord(**{**values, **more})


def held() -> GilRecord:
    """The record of an environment in which triton turns the GIL on."""
    return trial((on(ENTRIES[0]), on(ENTRIES[1]), *map(entry, ENTRIES[2:]))).model_copy(
        update={"modules": (*GOOD_MODULES, OFFENDER)}
    )


class Written:
    """A report as it was written: its record, its page and its table."""

    def __init__(self, folder: Path, *trials: GilRecord, **skipped: str):
        reports = folder / "reports"
        self.record: GilReportRecord = write_report(trials or (trial(),), skipped, "key", reports)
        self.page = BeautifulSoup((reports / "gil.html").read_bytes(), "html.parser")
        self.table = pd.read_csv(reports / "gil.csv", keep_default_na=False)

    @property
    def h1(self) -> str:
        return words(self.page.h1)

    @property
    def tiles(self) -> list[str]:
        return [words(tile) for tile in self.page.select(".tiles li")]

    @property
    def text(self) -> str:
        return words(self.page.body)


def words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def test_yes_is_the_first_word_where_the_gil_stays_off(tmp_path: Path) -> None:
    report = Written(tmp_path)
    assert report.h1 == "Yes. vLLM starts with the GIL off without PYTHON_GIL=0."
    assert report.page.title.text == "Yes: GIL report"
    assert report.record.verdicts == {"cpu": "yes"}
    assert report.tiles == [
        "2 extension modules",
        "2 leave the GIL off",
        "0 turn it on",
        "0 cannot be imported",
    ]
    lead = words(report.page.select_one(".lead"))
    assert "vLLM 0.26.0+cpu on free-threaded Python 3.14.9" in lead
    assert "It took 2 min 30 s" in lead
    assert not report.page.select(".offenders")


def test_no_is_said_with_who_and_by_which_chain(tmp_path: Path) -> None:
    report = Written(tmp_path, held())
    assert report.h1 == (
        "No. vLLM starts with the GIL on without PYTHON_GIL=0, because of "
        "triton._C.libtriton (triton 3.6.0)."
    )
    assert report.record.verdicts == {"cpu": "no"}
    (card,) = report.page.select(".offenders li.card")
    said = words(card)
    for part in (
        "owner triton 3.6.0",
        "file triton/_C/libtriton.so",
        "it says multi-phase, without Py_mod_gil",
        "our patch none",
        "from vllm import LLM, vllm serve vllm vllm.triton_utils triton triton._C.libtriton",
        "imported by torch._dynamo , vllm.x",
    ):
        assert part in said
    assert card.a["href"] == "https://forge.test/triton"
    rows = [[words(cell) for cell in row.select("th, td")] for row in report.page.select("tr")]
    assert ["from vllm import LLM", "on", TRITON, "99", "12.50 s"] in rows
    assert ["worker", "off", "", "99", "12.50 s"] in rows


def test_an_offender_that_vllm_does_not_import_leaves_the_verdict(tmp_path: Path) -> None:
    report = Written(tmp_path, trial(modules=(*GOOD_MODULES, OFFENDER)))
    assert report.h1.startswith("Yes.")
    assert "vLLM does not import it as it starts" in words(report.page.select_one(".offenders"))


def test_the_one_who_turned_it_on_is_named_though_no_file_of_it_was_tried(tmp_path: Path) -> None:
    report = Written(tmp_path, trial((entry("worker", "on", first="hidden._x"),)))
    assert report.h1.endswith("because of hidden._x.")


def test_what_could_not_be_imported_is_no_verdict(tmp_path: Path) -> None:
    broken = entry(ENTRIES[0], "failed", detail="ImportError: no <kernel>")
    report = Written(tmp_path, trial((broken, *map(entry, ENTRIES[1:]))))
    assert report.h1 == "Not known. vLLM could not be imported: from vllm import LLM."
    assert "ImportError: no <kernel>" in report.text
    assert report.record.verdicts == {"cpu": "unknown"}


def test_modules_that_crash_or_hang_are_named_with_the_reason(tmp_path: Path) -> None:
    broken = (
        module("a.b", "crash", detail="python ended with signal SIGSEGV"),
        module("c.d", "hang", detail="it did not end within 180 seconds"),
        module("e.f", "failed", detail="ImportError: <x>"),
        module("g.h", "unknown", detail="a.z had turned the GIL on before it"),
    )
    report = Written(tmp_path, trial(modules=(*GOOD_MODULES, *broken)))
    assert report.tiles[3:] == ["3 cannot be imported", "1 cannot be told"]
    rows = [[words(cell) for cell in row.select("th, td")] for row in report.page.select("tr")]
    assert ["a.b", "a 3.6.0", "crashes", "python ended with signal SIGSEGV"] in rows
    assert ["c.d", "c 3.6.0", "hangs", "it did not end within 180 seconds"] in rows
    assert ["e.f", "e 3.6.0", "does not import", "ImportError: <x>"] in rows
    assert list(report.table.outcome) == ["crash", "hang", "unknown", "failed", "off", "off"]


def test_every_module_is_listed_with_what_it_says_and_our_patch(tmp_path: Path) -> None:
    report = Written(tmp_path)
    rows = [[words(cell) for cell in row.select("td")] for row in report.page.select(".modules tr")]
    assert [
        "vllm._C",
        "vllm 0.26.0+cpu, built here",
        "leaves it off",
        "Py_mod_gil: not used 0004-Declare.patch",
        "",
        "torch",
        "0.25 s",
    ] in rows


@pytest.mark.parametrize(
    ("declares", "init", "sets_gil", "said"),
    [
        ("used", "multi-phase", False, "Py_mod_gil: used"),
        ("no slot", "multi-phase", False, "multi-phase, without Py_mod_gil"),
        ("single-phase", "single-phase", True, "single-phase, calls PyUnstable_Module_SetGIL"),
        ("single-phase", "single-phase", False, "single-phase, says nothing"),
        ("single-phase", "elsewhere", False, "initialised by a library that it is linked to"),
        (None, "multi-phase", False, "multi-phase"),
        (None, "either", False, "multi-phase or single-phase"),
    ],
)
def test_what_a_module_says_is_put_into_words(
    declares: str | None, init: str, sets_gil: bool, said: str
) -> None:
    evidence = FileEvidence(abi=None, init=init, sets_gil=sets_gil)
    assert declaration(module("a.b", declares=declares, evidence=evidence)) == said


def test_variants_stand_side_by_side_and_the_worst_counts(tmp_path: Path) -> None:
    cuda = held().model_copy(update={"variant": "cuda", "environment": "run-cuda"})
    report = Written(tmp_path, trial(), cuda)
    assert report.h1 == (
        "No. On cpu, vLLM starts with the GIL off without PYTHON_GIL=0. On cuda, vLLM starts with "
        "the GIL on without PYTHON_GIL=0, because of triton._C.libtriton (triton 3.6.0)."
    )
    assert report.record.verdicts == {"cpu": "yes", "cuda": "no"}
    assert [heading["id"] for heading in report.page.select("h2")] == ["cpu", "cuda"]


def test_variants_that_were_not_looked_at_are_named(tmp_path: Path) -> None:
    reason = "this machine has no NVIDIA GPU that answers"
    report = Written(tmp_path, cuda=reason)
    assert f"Not looked at on this machine cuda : {reason}" in report.text
    assert report.record.skipped == {"cuda": reason}


def test_a_report_on_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no look at cuda: no GPU"):
        write_report((), {"cuda": "no GPU"}, "key", tmp_path)
    with pytest.raises(UserError, match=r"smoke\.variants names no variant"):
        write_report((), {}, "key", tmp_path)


def test_work_folders_are_named(tmp_path: Path) -> None:
    assert "work/vllm , tree cccccccccccc" in Written(tmp_path, trial(work={"vllm": "c" * 40})).text


def test_the_page_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    page = Written(tmp_path, held()).page
    assert not page.select("script, link, img, iframe, [src]")
    assert "@import" not in page.style.text and "url(" not in page.style.text


def test_the_table_has_a_row_for_each_module_the_offenders_first(tmp_path: Path) -> None:
    table = Written(tmp_path, held()).table
    assert list(table.module) == [TRITON, "numpy._core._multiarray_umath", "vllm._C"]
    assert set(table.vllm_starts_with_gil_off) == {"no"}
    first = table.iloc[0]
    assert (first.distribution, first.version, first.declares) == ("triton", "3.6.0", "no slot")
    assert first.imported_by == "from vllm import LLM; vllm serve"
    assert first.chain == "vllm > vllm.triton_utils > triton > triton._C.libtriton"
    assert first.importers == "torch._dynamo; vllm.x"
    assert (first.url, first.file) == ("https://forge.test/triton", "triton/_C/libtriton.so")
    assert table.iloc[2].patches == "0004-Declare.patch" and table.iloc[2].needs == "torch"
