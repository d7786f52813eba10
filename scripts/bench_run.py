"""Job: measure vLLM with the GIL off and on, in the run environment of a variant."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.machine.fitness import require
from snakedev.reports.bench.run import run_bench
from snakedev.store.layout import Layout
from snakedev.store.publish import shown
from snakedev.store.specs import BenchSpec

if __name__ == "__main__":
    with job(f"bench {snakemake.wildcards.variant}", snakemake.log[0]) as running:
        wanted, layout = snakemake.params, Layout.of(check(snakemake.config))
        spec, lock = BenchSpec.read(Path(wanted.spec)), Path(wanted.lock)
        require(Path(wanted.machine), layout.machine, spec.variant, wanted.built_for)
        with shown(Path(snakemake.output[0])):
            run_bench(spec, layout, lock, snakemake.threads, running)
