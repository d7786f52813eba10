"""How long `snakemake -n` takes with nothing to do, beside that of an empty Snakefile.

Run from the project after `snakemake smoke_report`: `python -m tools.benchmarks.dry_run [--rounds
N]`. The two are timed in turns, so that a busy machine slows both, and the medians' ratio counts;
it should be 1.3 or less.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

_EMPTY = "rule all:\n    default_target: True\n"


def seconds(folder: Path) -> tuple[float, str]:
    """Wall-clock seconds of `snakemake -n` in a folder, and what it printed."""
    command = [Path(sys.executable).with_name("snakemake"), "-n", "--cores", "1"]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return time.perf_counter() - started, done.stdout + done.stderr


def main() -> None:
    """Time both and print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    project = Path(__file__).parents[2]
    ours, empty = [], []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Snakefile").write_text(_EMPTY, encoding="utf-8")
        seconds(Path(folder)), seconds(project)  # bytecode and file caches
        for _ in range(rounds):
            empty.append(seconds(Path(folder))[0])
            taken, said = seconds(project)
            ours.append(taken)
    if "Nothing to be done" not in said:
        print("note: there was something to do: run `snakemake smoke_report` first")
    print(f"snakemake -n, median of {rounds}: empty Snakefile {median(empty):.2f} s, ", end="")
    print(f"this project {median(ours):.2f} s, ratio {median(ours) / median(empty):.2f}")


if __name__ == "__main__":
    main()
