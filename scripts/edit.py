"""Job: have a work folder with a repo's series as commits on its pin."""

from functools import partial
from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.fetch.download import fetched_release
from snakedev.fetch.pinned import fetch_pinned
from snakedev.store.layout import Layout
from snakedev.store.source_specs import SourceSpec
from snakedev.workbench.earlier import Earlier
from snakedev.workbench.edit import edit
from snakedev.workbench.session import Waiting

if __name__ == "__main__":
    wanted = snakemake.params
    with job(f"edit {wanted.repo}", snakemake.log[0]) as running:
        spec = SourceSpec.read(Path(wanted.spec))
        config = check(snakemake.config)
        layout = Layout.of(config)
        made_on = [SourceSpec.read(Path(path)) for path in wanted.made_on]
        archive = fetched_release(Path(snakemake.input.pin), spec.pin, config, running)
        fetch = partial(fetch_pinned, config=config, running=running)
        with Earlier(made_on, layout, fetch, running) as earlier:
            try:
                edit(spec, layout, archive, Path(wanted.folder), running, earlier)
            except Waiting as told:
                # the run ends with a status of its own, where Snakemake has no failure to show
                running.conclude(str(told))
