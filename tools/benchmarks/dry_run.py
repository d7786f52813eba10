"""What `snakemake -n` takes: with nothing to do, beside an empty Snakefile, or of many repos.

Run from the project after `snakemake smoke_report`: `python -m tools.benchmarks.dry_run [--rounds
N]`. It and an empty Snakefile take turns, and the ratio of their medians counts: it should be 1.3
or less. `--repos 1000` plans so many packages instead, which all are to be built. Times are
processor seconds, which other programs on the machine hardly change.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.small_project import Project

_EMPTY = "rule all:\n    default_target: True\n"
_PROJECT = Path(__file__).parents[2]


def processor_seconds(folder: Path, *arguments: str) -> tuple[float, str]:
    """Those of `snakemake -n` in a folder, and what it printed."""
    snakemake = Path(sys.executable).with_name("snakemake")
    command = [snakemake, "-n", "--cores", "1", *arguments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return taken, done.stdout + done.stderr


def nothing_to_do(rounds: int) -> None:
    """Time this project and an empty Snakefile, and print the medians and their ratio."""
    ours, empty = [], []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Snakefile").write_text(_EMPTY, encoding="utf-8")
        # bytecode and file caches
        processor_seconds(Path(folder)), processor_seconds(_PROJECT)
        for _ in range(rounds):
            empty.append(processor_seconds(Path(folder))[0])
            taken, said = processor_seconds(_PROJECT)
            ours.append(taken)
    if "Nothing to be done" not in said:
        print("note: there was something to do: run `snakemake smoke_report` first")
    print(f"snakemake -n, median of {rounds}: empty Snakefile {median(empty):.2f} s, ", end="")
    print(f"this project {median(ours):.2f} s, ratio {median(ours) / median(empty):.2f}")


def many_repos(count: int, rounds: int) -> None:
    """Time a plan that builds so many packages, and print the median."""
    with tempfile.TemporaryDirectory() as folder:
        python = _PROJECT / "results/interpreter/bin/python3.14t"
        project = Project(Path(folder) / "project", python)
        project.write_lock("build-any", ["setuptools"])
        for number in range(count):
            pin = {"url": folder, "commit": f"{number:040x}"}
            repo = {"recipe": "setuptools", "version": "1.0", "git": pin}
            project.config["repos"][f"repo{number}"] = repo
        project.command()
        run = "wheels_cpu", "--quiet"
        taken = [processor_seconds(project.folder, *run)[0] for _ in range(rounds + 1)]
    print(f"snakemake -n of {count} repos, median of {rounds}: {median(taken[1:]):.2f} s")


def main() -> None:
    """Time what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--repos", type=int, help="plan so many packages")
    asked = parser.parse_args()
    if asked.repos:
        many_repos(asked.repos, asked.rounds)
    else:
        nothing_to_do(asked.rounds)


if __name__ == "__main__":
    main()
