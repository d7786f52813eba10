"""Job: build one wheel."""

from pathlib import Path

from scripts.borrowed import KernelsRecord
from scripts.config import check
from scripts.job import job
from scripts.layout import Layout
from scripts.machine import probe
from scripts.specs import WheelSpec
from scripts.wheel import build_wheel

if __name__ == "__main__":
    with job(f"wheel {snakemake.wildcards.repo}", snakemake.log[0]) as running:
        config = check(snakemake.config)
        layout = Layout.of(config)
        record = build_wheel(
            WheelSpec.read(Path(snakemake.params.spec)),
            layout,
            probe(layout.machine),
            snakemake.params.cores,
            config.build,
            running,
            KernelsRecord.read(Path(kernels[0])) if (kernels := snakemake.input.kernels) else None,
        )
        record.write(Path(snakemake.output[0]))
