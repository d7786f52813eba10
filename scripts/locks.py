"""Job: compile every lock in envs/, from `.in` files and what the pinned sources ask for."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.config.source_facts import SourceIdentity
from snakedev.environments.lock_compiler import compile_locks
from snakedev.environments.locks import of_variants, require_lists
from snakedev.fetch.download import fetched_release
from snakedev.sources.source_facts import read_pinned
from snakedev.store.layout import Layout
from snakedev.store.source_specs import SourceSpec

if __name__ == "__main__":
    with job("locks", snakemake.log[0]) as running:
        config, wanted = check(snakemake.config), snakemake.params
        folder, layout = Path(wanted.folder), Layout.of(config)
        locks = of_variants(config.configured_variants(), tests=config.has_tests)
        require_lists(folder, locks)
        facts = []
        pinned = zip(wanted.specs, wanted.identities, snakemake.input.pins, strict=True)
        for file, names, pin in pinned:
            spec = SourceSpec.read(Path(file))
            archive = fetched_release(Path(pin), spec.pin, config, running)
            facts.append(read_pinned(spec, SourceIdentity(**names), layout, archive))
        indexes = {lock.name: config.torch_index(lock.variant) for lock in locks}
        compile_locks(folder, indexes, layout.python, facts, running, upgrade=wanted.upgrade)
