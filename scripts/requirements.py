"""Job: check what vLLM's patched source asks for against the locks of a variant."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.environments.requirements import check_requirements

if __name__ == "__main__":
    wanted = snakemake.params
    with job(f"requirements {wanted.variant}", snakemake.log[0]) as running:
        record = check_requirements(
            Path(wanted.tree),
            Path(wanted.folder),
            wanted.variant,
            wanted.python_version,
            wanted.built,
            wanted.left_out,
        )
        record.write(Path(snakemake.output[0]))
        running.say(f"the locks hold all {len(record.requirements)} requirements of the source")
