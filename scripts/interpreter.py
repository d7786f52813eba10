"""Job: provide the free-threaded interpreter."""

from pathlib import Path

from snakedev.base.capacity import parallel_jobs
from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.interpreter.provide import Request, provide
from snakedev.store.layout import Layout

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
