"""Job: make a model folder."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.inference.model import make_model
from snakedev.store.layout import Layout
from snakedev.store.specs import ModelSpec

if __name__ == "__main__":
    with job(f"model {snakemake.wildcards.model}", snakemake.log[0]) as running:
        spec = ModelSpec.read(Path(snakemake.params.spec))
        layout = Layout.of(check(snakemake.config))
        record = make_model(spec, layout, Path(snakemake.params.python), running)
        record.write(Path(snakemake.output[0]))
