"""Job: list what no configuration reaches, and remove it after a yes."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.store.layout import Layout
from snakedev.store.prune import asked_on_the_terminal, prune

if __name__ == "__main__":
    with job("prune", snakemake.log[0]) as running:
        layout = Layout.of(check(snakemake.config))
        confirm = asked_on_the_terminal if snakemake.params.ask else lambda _: True
        prune(layout, map(Path, snakemake.params.reached), confirm, running)
