"""Job: provide the free-threaded interpreter."""

from pathlib import Path

from scripts.config import check
from scripts.interpreter.provide import Request, provide
from scripts.job import job
from scripts.layout import Layout
from scripts.machine import parallel_jobs

if __name__ == "__main__":
    with job("interpreter", snakemake.log[0]) as running:
        config = check(snakemake.config)
        layout = Layout.of(config)
        mirror = config.registries.debian
        record = provide(
            Request(
                wanted=config.interpreter,
                layout=layout,
                mirror=str(mirror) if mirror else None,
                jobs=parallel_jobs(snakemake.threads, config.build.memory_per_job_gb),
                compiler_cache=config.build.compiler_cache,
                running=running,
            )
        )
        record.write(layout.interpreter / "interpreter.json")
        record.write(Path(snakemake.output[0]))
