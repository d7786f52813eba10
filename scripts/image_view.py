"""Job: show a variant's current image under its plain name, and say how to load it."""

import shlex
import sys

from snakedev.base.job import job
from snakedev.base.terminal import write_lines
from snakedev.config.read import check
from snakedev.environments.environment import point_view
from snakedev.images.image import ARCHIVE
from snakedev.store.layout import Layout

if __name__ == "__main__":
    variant, key = snakemake.params.variant, snakemake.params.key
    with job(f"image_{variant}", snakemake.log[0]):
        layout = Layout.of(check(snakemake.config))
        view = layout.image_view(variant)
        point_view(view, layout.image(variant, key) / ARCHIVE)
        write_lines(sys.stdout, [f"podman load -i {shlex.quote(str(view))}"])
