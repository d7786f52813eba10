"""Job: make the container image that holds the workflow."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.fetch.debian import DebianPackages
from snakedev.images.workflow import make_workflow_image
from snakedev.store.image_spec import WORKFLOW, WorkflowImageSpec
from snakedev.store.layout import Layout

if __name__ == "__main__":
    with job("image workflow", snakemake.log[0]) as running:
        config = check(snakemake.config)
        layout = Layout.of(config)
        spec = WorkflowImageSpec.read(Path(snakemake.params.spec))
        mirror = config.registries.debian
        record = make_workflow_image(
            spec,
            Path(snakemake.params.project),
            DebianPackages(layout.downloads / "debian", running, mirror and str(mirror)),
            layout.image(WORKFLOW, spec.key),
            running,
        )
        record.write(Path(snakemake.output[0]))
