"""Job: build one wheel."""

from pathlib import Path

from scripts.config import check
from scripts.job import job
from scripts.layout import Layout
from scripts.machine import parallel_jobs, probe
from scripts.specs import WheelSpec
from scripts.wheel import build_wheel

if __name__ == "__main__":
    with job(f"wheel {snakemake.wildcards.repo}", snakemake.log[0]) as running:
        config = check(snakemake.config)
        layout, build = Layout.of(config), config.build
        record = build_wheel(
            WheelSpec.read(Path(snakemake.params.spec)),
            layout,
            probe(layout.machine),
            parallel_jobs(snakemake.params.cores, build.memory_per_job_gb),
            compiler_cache=build.compiler_cache,
            cut_network=build.network == "none",
            running=running,
        )
        record.write(Path(snakemake.output[0]))
