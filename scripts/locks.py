"""Job: compile every lock in envs/ for the interpreter that is there."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.environments.locks import compile_lock, of_variants, require_lists
from snakedev.store.layout import Layout

if __name__ == "__main__":
    with job("locks", snakemake.log[0]) as running:
        config = check(snakemake.config)
        folder, locks = Path(snakemake.params.folder), of_variants(config.configured_variants())
        require_lists(folder, locks)
        for lock in locks:
            compile_lock(
                folder,
                lock.name,
                Layout.of(config).python,
                config.torch_index(lock.variant),
                running,
                upgrade=snakemake.params.upgrade,
            )
