"""Job: pin the Debian packages that images begin with."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.fetch.debian import DebianPackages
from snakedev.images.base_lock import SERVING, WORKFLOW, compile_base
from snakedev.store.layout import Layout

if __name__ == "__main__":
    with job("image_lock", snakemake.log[0]) as running:
        config = check(snakemake.config)
        mirror, wanted = config.registries.debian, config.image
        cache = Layout.of(config).downloads / "debian"
        debian = DebianPackages(cache, running, mirror and str(mirror))
        folder = Path(snakemake.params.folder)
        for base, packages in (
            (SERVING, wanted.packages),
            (WORKFLOW, wanted.workflow_packages),
        ):
            compile_base(folder, base, wanted.suite, packages, debian, running)
