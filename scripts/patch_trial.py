"""Job: try a repo's patch series on its pin or on another ref."""

from functools import partial
from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.fetch.index_pages import PackageIndex
from snakedev.fetch.pinned import fetch_pinned
from snakedev.reports.patches.trial import make_trial, served
from snakedev.store.layout import Layout
from snakedev.store.publish import drop_others
from snakedev.store.specs import PatchTrialSpec

if __name__ == "__main__":
    with job(f"patches {snakemake.wildcards.repo}", snakemake.log[0]) as running:
        spec = PatchTrialSpec.read(Path(snakemake.params.spec))
        config = check(snakemake.config)
        fetch = partial(fetch_pinned, config=config, running=running)
        layout = Layout.of(config)
        index = PackageIndex(layout.cache / "index", running, offline=False)
        record = make_trial(spec, layout, fetch, running, partial(served, index))
        stamp = Path(snakemake.output[0])
        if spec.moves:
            drop_others(stamp)
        record.write(stamp)
