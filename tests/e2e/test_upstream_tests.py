"""Upstream's own tests, the quick selection, on what was built."""

import csv

import pytest

from tests.e2e.conftest import Clone

pytestmark = pytest.mark.e2e

# what is built here, in the columns that need nothing else
REPOS = ("vllm", "oss-harmony", "outlines-core", "safetensors")
COLUMNS = ("free", "threads")
QUICK = (
    "--config",
    f"test_report={{tests: quick, threads: 4, repos: [{','.join(REPOS)}], "
    f"columns: [{','.join(COLUMNS)}]}}",
)


def test_upstream_s_tests_pass_with_the_gil_off(clone: Clone) -> None:
    clone.snakemake("test_report", *QUICK)
    with (clone.folder / "results/reports/tests.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["repo"] for row in rows} == {*REPOS}
    for column in COLUMNS:
        assert sum(row[column] in ("passed", "xfailed") for row in rows) > 1400
    # a second run has nothing to do
    assert clone.snakemake("test_report", *QUICK, "-n").named_jobs == set()
