"""Job: write the commits of a work folder back to the repo's patch files."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.store.source_specs import SourceSpec
from snakedev.workbench.export import export

if __name__ == "__main__":
    wanted = snakemake.params
    with job(f"export {wanted.repo}", snakemake.log[0]) as running:
        spec = SourceSpec.read(Path(wanted.spec))
        export(spec, Path(wanted.folder), Path(wanted.patches), running)
