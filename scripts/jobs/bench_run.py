"""Job: measure vLLM with the GIL off and on, in the run environment of a variant."""

from pathlib import Path

from scripts.bench_run import run_bench
from scripts.config import check
from scripts.job import job
from scripts.layout import Layout
from scripts.specs import BenchSpec

if __name__ == "__main__":
    with job(f"bench {snakemake.wildcards.variant}", snakemake.log[0]) as running:
        wanted, layout = snakemake.params, Layout.of(check(snakemake.config))
        spec, lock = BenchSpec.read(Path(wanted.spec)), Path(wanted.lock)
        record = run_bench(spec, layout, lock, snakemake.threads, running)
        record.write(Path(snakemake.output[0]))
