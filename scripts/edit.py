"""Job: have a work folder with a repo's series as commits on its pin."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.fetch.download import fetched_release
from snakedev.store.layout import Layout
from snakedev.store.source_specs import SourceSpec
from snakedev.workbench.edit import edit

if __name__ == "__main__":
    wanted = snakemake.params
    with job(f"edit {wanted.repo}", snakemake.log[0]) as running:
        spec = SourceSpec.read(Path(wanted.spec))
        config = check(snakemake.config)
        archive = fetched_release(Path(snakemake.input.pin), spec.pin, config, running)
        edit(spec, Layout.of(config), archive, Path(wanted.folder), running)
