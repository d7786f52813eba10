"""How fast interpreters run pure Python in one thread, which most of vLLM's front end is.

Run from the project after `snakemake interpreter`: `python -m tools.benchmarks.interpreter [PYTHON
...]`. The project's interpreter and those named (by default the one that runs this) take turns, and
the medians of processor time count. How an interpreter was built makes as much of a difference as
the GIL: with profile-guided optimisation and link-time optimisation or without.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import geometric_mean, median

from tools.project import PROJECT, current_plan

_WORK = Path(__file__).with_name("python_work.py")


def measured(python: Path) -> dict:
    """What one run of the small programs says; raises CalledProcessError when it fails."""
    done = subprocess.run([python, _WORK], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def main() -> None:
    """Time all in turns, and print a line for each with its ratio to the project's."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pythons", nargs="*", type=Path, metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    layout = current_plan().layout
    ours = PROJECT / layout.python
    pythons = [ours, *(options.pythons or [Path(sys.executable)])]
    runs: dict[Path, list[dict]] = {python: [] for python in pythons}
    for _ in range(options.rounds):
        for python in pythons:
            runs[python].append(measured(python))
    medians = {
        python: {
            name: median(run["seconds"][name] for run in found) for name in found[0]["seconds"]
        }
        for python, found in runs.items()
    }
    for python, found in runs.items():
        state = "on" if found[0]["gil"] else "off"
        print(f"{python}: Python {found[0]['version']}, GIL {state}")
        ratios = {name: taken / medians[ours][name] for name, taken in medians[python].items()}
        for name, taken in medians[python].items():
            low = min(run["seconds"][name] for run in found)
            high = max(run["seconds"][name] for run in found)
            print(
                f"  {name}: {1000 * taken:.0f} ms ({1000 * low:.0f} to {1000 * high:.0f}), "
                f"{ratios[name]:.2f} of ours"
            )
        print(f"  geometric mean: {geometric_mean(ratios.values()):.2f} of ours")


if __name__ == "__main__":
    main()
