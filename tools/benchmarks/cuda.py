"""How long vLLM's CUDA wheel takes to build, for each of some GPU architectures.

Run from the project: `python -m tools.benchmarks.cuda [ARCHITECTURE ...]` (9.0a, 8.0 and 7.5 when
none is named). In a fresh clone of the project's HEAD, with an empty compiler cache and the sources
and the environment there before the clock starts: the first architecture cold, then after one line
of one .cu file was changed; then the line of config.yaml changed to each of the others, and back.
For each, the files compiled, those of them that the compiler cache had, seconds, and the most
memory that one compilation took.

Hours on 2 cores. The figures are kept in results/bench/cuda.json.
"""

import argparse
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import psutil

from snakedev.base.records import write_text
from snakedev.base.yaml_file import read_yaml
from tools.benchmarks.clones import PROJECT, Built, Clone, Patches, replace
from tools.benchmarks.sampling import Sampler

_ARCHITECTURES = ("9.0a", "8.0", "7.5")


class Memory(Sampler):
    """The most memory that one program of this process's descendants had, sampled."""

    def __init__(self) -> None:
        super().__init__()
        self.peak, self.program = 0, ""

    def look(self, children: list[psutil.Process]) -> None:
        """Keep the largest."""
        for child in children:
            try:
                if (size := child.memory_info().rss) > self.peak:
                    self.peak, self.program = size, child.name()
            except psutil.Error:
                continue  # it ended


def change_cu(tree: Path) -> None:
    """One line of one CUDA file."""
    replace(
        tree / "csrc/activation_kernels.cu",
        "#include <cmath>",
        "#include <cmath>\nstatic_assert(sizeof(float) == 4);",
    )


def main() -> None:
    """Do it all, print each figure as it comes, and the ratio at the end."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("architectures", nargs="*", default=_ARCHITECTURES)
    parser.add_argument("--folder", type=Path, default=PROJECT / "results" / "bench" / "cuda")
    parser.add_argument("--keep", action="store_true", help="leave the clones there")
    options = parser.parse_args()
    folder = options.folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = read_yaml(PROJECT / "config.yaml")["repos"]
    others = {name: {"enabled": name in ("vllm", "cutlass")} for name in names}

    def settings(architecture: str) -> dict[str, object]:
        cuda = {"architectures": [architecture]}
        return {"repos": others, "variants": {"cuda": cuda}}

    first, *rest = options.architectures
    clone = Clone(folder / "clone", settings(first), "cuda")
    clone.prepare()
    figures: dict[str, object] = {}

    def measure(key: str, what: str) -> Built:
        with Memory() as memory:
            built = clone.wheels(what)
        if memory.program:
            print(f"  {memory.peak / 1e9:.1f} GB at most, by {memory.program}", flush=True)
        figures[key] = {**asdict(built), "peak_memory": memory.peak}
        text = json.dumps(figures, indent=2) + "\n"
        write_text(PROJECT / "results/bench/cuda.json", text)
        return built

    cold = measure(first, f"{first}, cold")
    Patches(folder / "vllm", clone).add(clone, "Change a CUDA file", change_cu)
    warm = measure("line", "one line of a .cu file")
    print(f"  {warm.seconds / cold.seconds:.1%} of the cold build (5% wanted)", flush=True)
    for architecture in rest:
        clone.configure(settings(architecture))
        measure(architecture, f"changed to {architecture}")
    clone.configure(settings(first))
    measure("back", f"back to {first}")
    if not options.keep:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
