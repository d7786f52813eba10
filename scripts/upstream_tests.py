"""Job: run upstream's own tests of a repo in one column of the report."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.machine.fitness import require
from snakedev.reports.tests.run import run_tests
from snakedev.store.layout import Layout
from snakedev.store.tests_spec import TestsSpec

if __name__ == "__main__":
    title = f"tests {snakemake.wildcards.repo} {snakemake.wildcards.column}"
    with job(title, snakemake.log[0]) as running:
        spec = TestsSpec.read(Path(snakemake.params.spec))
        layout = Layout.of(check(snakemake.config))
        wanted = snakemake.params
        require(Path(wanted.machine), layout.machine, spec.variant, wanted.built_for)
        record = run_tests(spec, layout, snakemake.threads, running)
        record.write(Path(snakemake.output[0]))
