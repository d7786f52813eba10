"""Job: provide the free-threaded interpreter."""

from pathlib import Path

from scripts.config import check
from scripts.interpreter.provide import provide
from scripts.job import job
from scripts.layout import Layout

if __name__ == "__main__":
    with job("interpreter", snakemake.log[0]) as running:
        config = check(snakemake.config)
        layout = Layout.of(config)
        mirror = config.registries.debian
        record = provide(
            config.interpreter,
            layout.interpreter,
            layout.downloads,
            str(mirror) if mirror else None,
            running,
        )
        record.write(layout.interpreter / "interpreter.json")
        record.write(Path(snakemake.output[0]))
