"""Job: vendor the crates that a source's Cargo.lock names."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.machine.probe import probe
from snakedev.sources.crates import vendor
from snakedev.store.layout import Layout
from snakedev.store.source_specs import CratesSpec

if __name__ == "__main__":
    with job(f"crates {snakemake.wildcards.repo}", snakemake.log[0]) as running:
        layout = Layout.of(check(snakemake.config))
        spec = CratesSpec.read(Path(snakemake.params.spec))
        record = vendor(spec, layout, probe(layout.machine, keep=False), running)
        record.write(Path(snakemake.output[0]))
