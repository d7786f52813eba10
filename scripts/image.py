"""Job: make a container image of a run environment."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.fetch.debian import DebianPackages
from snakedev.images.image import make_image
from snakedev.store.image_spec import ImageSpec
from snakedev.store.layout import Layout

if __name__ == "__main__":
    with job(f"image {snakemake.wildcards.variant}", snakemake.log[0]) as running:
        config = check(snakemake.config)
        layout, spec = Layout.of(config), ImageSpec.read(Path(snakemake.params.spec))
        mirror = config.registries.debian
        record = make_image(
            spec,
            layout.environment(spec.environment_name, spec.environment_key),
            DebianPackages(layout.downloads / "debian", running, mirror and str(mirror)),
            layout.image(spec.variant, spec.key),
            snakemake.threads,
            running,
        )
        record.write(Path(snakemake.output[0]))
