"""Job: compile every lock in envs/ for the interpreter that is there."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.config.source_facts import SourceIdentity, facts_file
from snakedev.environments.locks import compile_lock, of_variants, require_lists
from snakedev.fetch.download import fetched_release
from snakedev.sources.source_facts import read_pinned
from snakedev.store.layout import Layout
from snakedev.store.source_specs import SourceSpec

if __name__ == "__main__":
    with job("locks", snakemake.log[0]) as running:
        config, wanted = check(snakemake.config), snakemake.params
        folder, locks = Path(wanted.folder), of_variants(config.configured_variants())
        require_lists(folder, locks)
        pinned = zip(wanted.specs, wanted.identities, snakemake.input.pins, strict=True)
        for file, names, pin in pinned:
            spec, identity = SourceSpec.read(Path(file)), SourceIdentity(**names)
            archive = fetched_release(Path(pin), spec.pin, config, running)
            facts = read_pinned(spec, identity, Layout.of(config), archive)
            facts.write(facts_file(folder, spec.repo))
        for lock in locks:
            compile_lock(
                folder,
                lock.name,
                Layout.of(config).python,
                config.torch_index(lock.variant),
                running,
                upgrade=wanted.upgrade,
            )
