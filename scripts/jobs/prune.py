"""Job: list what the present configuration does not reach, and remove it after a yes."""

from pathlib import Path

from scripts.config import check
from scripts.job import job
from scripts.layout import Layout
from scripts.prune import asked_on_the_terminal, prune, unreached

if __name__ == "__main__":
    with job("prune", snakemake.log[0]) as running:
        found = unreached(Layout.of(check(snakemake.config)), map(Path, snakemake.params.reached))
        confirm = asked_on_the_terminal if snakemake.params.ask else lambda _: True
        prune(found, confirm, running)
