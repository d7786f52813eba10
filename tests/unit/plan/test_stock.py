"""The stock wheel that is built here: keyed, of upstream's code, for an ordinary Python."""

import pytest

from snakedev.base.errors import UserError
from snakedev.plan.stock import is_marked
from tests.project import PROJECT
from tests.unit.plan import default_plan

SERIES = sorted((PROJECT / "patches/vllm").glob("*.patch"))


def plan(**more):
    return default_plan.plan(**{"bench_report__stock": "built", **more})


def test_it_is_the_pin_with_the_marked_patches_for_an_ordinary_python():
    made = plan(bench_report__python="3.12")
    stock, ours = made.reports.stock, made.wheels.wheel("vllm", "cpu")
    assert stock is not None and stock.wheel.abi == "cp312"
    source = stock.sources.source("vllm")
    assert source.pin == made.sources.source("vllm").pin
    assert [*source.patches] == [path for path in SERIES if is_marked(path)]
    assert source.patches and len(source.patches) < len(SERIES)
    # what the build is told, and what it takes in, is ours
    assert (stock.wheel.settings, stock.wheel.needs) == (ours.settings, ours.needs)
    assert made.reports.bench("cpu").stock.key == stock.wheel.key != ours.key
    environment = stock.wheels.build_environment("build-cpu")
    assert environment.python == "3.12"
    assert stock.has(stock.wheel.key) and stock.has(environment.key) and not stock.has(ours.key)
    # it asks for all that upstream asks for and an index has
    assert [*stock.wheel.excluded] == ["triton"]
    reached = made.reached_paths()
    assert {str(made.layout.folder(one)) for one in (source, stock.wheel, environment)} <= {
        *reached
    }


def test_without_it_nothing_changes():
    usual, built = default_plan.plan(), plan()
    assert usual.reports.stock is None and usual.reports.bench("cpu").stock is None
    assert usual.wheels.wheel("vllm", "cpu").key == built.wheels.wheel("vllm", "cpu").key


@pytest.mark.parametrize(
    ("python", "version"),
    [("3.12", "3.12"), ("3.13.1", "3.13"), ("python3.11", "3.11"), ("/nowhere/python3.12", "3.12")],
)
def test_an_ordinary_python_is_known_by_its_name(python, version):
    stock = plan(bench_report__python=python).reports.stock
    assert stock.wheel.interpreter == {"version": version, "abiflags": ""}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"bench_report__python": "/nowhere/python"}, "does not say which version it is"),
        ({"bench_report__variants": ["cuda"]}, "stock: built is for the cpu variant"),
    ],
)
def test_what_it_cannot_be_is_a_line(changes, told):
    with pytest.raises(UserError, match=told):
        made = plan(**changes)
        made.reports.bench(made.config.bench_report.variants[0])
