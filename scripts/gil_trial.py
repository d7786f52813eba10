"""Job: find out what turns the GIL on in a variant's run environment."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.machine.fitness import require
from snakedev.reports.gil.trial import run_gil_trial
from snakedev.store.layout import Layout
from snakedev.store.specs import GilSpec

if __name__ == "__main__":
    with job(f"gil {snakemake.wildcards.variant}", snakemake.log[0]) as running:
        spec = GilSpec.read(Path(snakemake.params.spec))
        layout = Layout.of(check(snakemake.config))
        require(
            Path(snakemake.params.machine), layout.machine, spec.variant, snakemake.params.built_for
        )
        record = run_gil_trial(spec, layout, snakemake.threads, running)
        record.write(Path(snakemake.output[0]))
