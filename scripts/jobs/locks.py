"""Job: compile every lock in envs/ for the interpreter that is there."""

from pathlib import Path

from scripts.config import check
from scripts.job import job
from scripts.layout import Layout
from scripts.locks import NAMES, compile_lock

if __name__ == "__main__":
    with job("locks", snakemake.log[0]) as running:
        torch = check(snakemake.config).registries.torch
        for name in NAMES:
            compile_lock(
                Path(snakemake.params.folder),
                name,
                Layout().python,
                str(torch) if torch else None,
                running,
                upgrade=snakemake.params.get("upgrade", False),
            )
