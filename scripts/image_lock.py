"""Job: pin the Debian packages of the base of images."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.fetch.debian import DebianPackages
from snakedev.images.base_lock import compile_base
from snakedev.store.layout import Layout

if __name__ == "__main__":
    with job("image_lock", snakemake.log[0]) as running:
        config = check(snakemake.config)
        mirror, wanted = config.registries.debian, config.image
        cache = Layout.of(config).downloads / "debian"
        debian = DebianPackages(cache, running, mirror and str(mirror))
        folder = Path(snakemake.params.folder)
        compile_base(folder, wanted.suite, wanted.packages, debian, running)
