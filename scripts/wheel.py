"""Job: build one wheel."""

import math
from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.fetch.download import fetched_release
from snakedev.machine.probe import here
from snakedev.store.layout import Layout
from snakedev.store.specs import WheelSpec
from snakedev.wheels.build import build_wheel
from snakedev.wheels.upstream_kernels import KernelsRecord

if __name__ == "__main__":
    with job(f"wheel {snakemake.wildcards.repo}", snakemake.log[0]) as running:
        config = check(snakemake.config)
        layout, wanted = Layout.of(config), snakemake.params
        stamp, repo = snakemake.input.finished, snakemake.wildcards.repo
        record = build_wheel(
            WheelSpec.read(Path(wanted.spec)),
            layout,
            here(Path(wanted.machine), layout.machine),
            wanted.cores,
            config.build,
            running,
            KernelsRecord.read(Path(kernels[0])) if (kernels := snakemake.input.kernels) else None,
            fetched_release(Path(stamp[0]), config.pin_of(repo), config, running)
            if stamp
            else None,
            given_gb=wanted.given_mb / 1000 if wanted.given_mb else math.inf,
        )
        record.write(Path(snakemake.output[0]))
