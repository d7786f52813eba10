"""Job: have a work folder with a repo's series as commits on its pin."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.fetch.download import DownloadRecord
from snakedev.store.layout import Layout
from snakedev.store.source_specs import SourceSpec
from snakedev.workbench.edit import edit

if __name__ == "__main__":
    wanted = snakemake.params
    with job(f"edit {wanted.repo}", snakemake.log[0]) as running:
        spec = SourceSpec.read(Path(wanted.spec))
        archive = None
        if spec.origin == "release":
            archive = DownloadRecord.read(Path(snakemake.input.pin)).archive
        layout = Layout.of(check(snakemake.config))
        edit(spec, layout, archive, Path(wanted.folder), running)
