"""Job: run inference and judge it; a failed check is in the record and fails the verdict."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.inference.smoke import run_smoke
from snakedev.machine.fitness import require
from snakedev.store.layout import Layout
from snakedev.store.specs import SmokeSpec

if __name__ == "__main__":
    title = f"smoke {snakemake.wildcards.variant}/{snakemake.wildcards.model}"
    with job(title, snakemake.log[0]) as running:
        spec = SmokeSpec.read(Path(snakemake.params.spec))
        layout = Layout.of(check(snakemake.config))
        require(
            Path(snakemake.params.machine), layout.machine, spec.variant, snakemake.params.built_for
        )
        record = run_smoke(spec, layout, snakemake.threads, running)
        record.write(Path(snakemake.output[0]))
