"""Job: try a repo's patch series on its pin or on another ref."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.fetch.download import fetched_release
from snakedev.reports.patches.trial import make_trial
from snakedev.store.layout import Layout
from snakedev.store.publish import drop_others
from snakedev.store.specs import PatchTrialSpec

if __name__ == "__main__":
    with job(f"patches {snakemake.wildcards.repo}", snakemake.log[0]) as running:
        spec = PatchTrialSpec.read(Path(snakemake.params.spec))
        config, pin = check(snakemake.config), (spec.written_for or spec).pin
        archive = fetched_release(Path(snakemake.input.pin), pin, config, running)
        record = make_trial(spec, Layout.of(config), archive, running)
        stamp = Path(snakemake.output[0])
        if spec.moves:
            drop_others(stamp)
        record.write(stamp)
