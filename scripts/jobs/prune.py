"""Job: list what no configuration reaches, and remove it after a yes."""

from pathlib import Path

from scripts.config import check
from scripts.job import job
from scripts.layout import Layout
from scripts.prune import asked_on_the_terminal, prune

if __name__ == "__main__":
    with job("prune", snakemake.log[0]) as running:
        layout = Layout.of(check(snakemake.config))
        confirm = asked_on_the_terminal if snakemake.params.ask else lambda _: True
        prune(layout, map(Path, snakemake.params.reached), confirm, running)
