"""Job: have a work folder with a repo's series as commits on its pin."""

from pathlib import Path

from scripts.config import check
from scripts.download import DownloadRecord
from scripts.job import job
from scripts.layout import Layout
from scripts.specs import SourceSpec
from scripts.workbench import edit

if __name__ == "__main__":
    wanted = snakemake.params
    with job(f"edit {wanted.repo}", snakemake.log[0]) as running:
        spec = SourceSpec.read(Path(wanted.spec))
        archive = None
        if spec.origin == "release":
            archive = DownloadRecord.read(Path(snakemake.input.pin)).archive
        layout = Layout.of(check(snakemake.config))
        edit(spec, layout, archive, Path(wanted.folder), running)
