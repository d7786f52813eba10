"""Job: apply a patch series to a pin, or take a work folder as it stands."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.fetch.download import fetched_release
from snakedev.sources.source import make_source
from snakedev.store.layout import Layout
from snakedev.store.source_specs import SourceSpec
from snakedev.workbench.snapshot import make_work_source

if __name__ == "__main__":
    with job(f"source {snakemake.wildcards.repo}", snakemake.log[0]) as running:
        spec = SourceSpec.read(Path(snakemake.params.spec))
        config = check(snakemake.config)
        layout = Layout.of(config)
        if spec.work is not None:
            record = make_work_source(spec, layout, Path(snakemake.params.work), running)
        else:
            archive = fetched_release(Path(snakemake.input.pin), spec.pin, config, running)
            record = make_source(spec, layout, archive, running)
        record.write(Path(snakemake.output[0]))
