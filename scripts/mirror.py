"""Job: have a pinned commit, whole, in the repo's mirror."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.config.repos import GitPin
from snakedev.fetch.mirror import MirrorRecord, ensure_commit
from snakedev.store.layout import Layout
from snakedev.store.source_specs import SourceSpec

if __name__ == "__main__":
    with job(f"mirror {snakemake.wildcards.repo}", snakemake.log[0]) as running:
        spec = SourceSpec.read(Path(snakemake.params.spec))
        pin = spec.pin
        assert isinstance(pin, GitPin)
        layout = Layout.of(check(snakemake.config))
        mirrors = ensure_commit(layout, spec.repo, pin.url, pin.commit, pin.submodules, running)
        MirrorRecord(commit=pin.commit, mirrors=tuple(mirrors)).write(Path(snakemake.output[0]))
