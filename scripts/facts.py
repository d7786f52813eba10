"""Job: compare what is known of a pinned source with the source."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.config.source_facts import SourceFacts
from snakedev.fetch.download import fetched_release
from snakedev.sources.source_facts import read_pinned, refuse_other
from snakedev.store.layout import Layout
from snakedev.store.source_specs import SourceSpec

if __name__ == "__main__":
    with job(f"facts {snakemake.wildcards.repo}", snakemake.log[0]) as running:
        spec = SourceSpec.read(Path(snakemake.params.spec))
        config, known = check(snakemake.config), SourceFacts(**snakemake.params.known)
        archive = fetched_release(Path(snakemake.input.pin), spec.pin, config, running)
        read = read_pinned(spec, known.identity, Layout.of(config), archive)
        refuse_other(known, read, Path(snakemake.params.folder))
        read.write(Path(snakemake.output[0]))
