"""Job: vendor the crates that a source's Cargo.lock names."""

from pathlib import Path

from scripts.config import check
from scripts.crates import vendor
from scripts.job import job
from scripts.layout import Layout
from scripts.machine import probe
from scripts.specs import CratesSpec

if __name__ == "__main__":
    with job(f"crates {snakemake.wildcards.repo}", snakemake.log[0]) as running:
        layout = Layout.of(check(snakemake.config))
        spec = CratesSpec.read(Path(snakemake.params.spec))
        record = vendor(spec, layout, probe(layout.machine), running)
        record.write(Path(snakemake.output[0]))
