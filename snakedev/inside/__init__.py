"""What another Python than Snakemake's runs: in a run or build environment, from this folder."""

from pathlib import Path

FOLDER = Path(__file__).parent
