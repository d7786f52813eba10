"""How long vLLM's CUDA wheel takes to build, for each of some GPU architectures.

Run from the project: `python -m benchmarks.cuda [ARCHITECTURE ...]` (9.0a, 8.0 and 7.5 when none
is named). For each, a cold build in a fresh clone of the project's HEAD, with the compiler cache
off and the sources and environment there before the clock starts: files compiled, seconds, and the
most memory that one compilation took. In the first clone then a warm build after one line of one
.cu file was changed, and the second architecture and back.

Hours on 2 cores. The figures are kept in results/bench/cuda.json.
"""

import argparse
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import psutil
import yaml

from benchmarks.clones import PROJECT, Built, Clone, Patches, replace
from benchmarks.sampling import Sampler
from scripts.records import write_text

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
        tree / "csrc/libtorch_stable/activation_kernels.cu",
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
    names = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))["repos"]
    others = {name: {"enabled": name in ("vllm", "cutlass")} for name in names}

    def settings(architecture: str) -> dict[str, object]:
        cuda = {"architectures": [architecture]}
        return {"build": {"compiler_cache": False}, "repos": others, "variants": {"cuda": cuda}}

    clones: list[Clone] = []
    cold: dict[str, tuple[Built, int]] = {}
    for architecture in options.architectures:
        clone = Clone(folder / architecture, settings(architecture), "cuda")
        clone.prepare()
        with Memory() as memory:
            built = clone.wheels(f"{architecture}, cold")
        print(f"{architecture}: {memory.peak / 1e9:.1f} GB at most, by {memory.program}")
        clones.append(clone)
        cold[architecture] = built, memory.peak

    first, architecture = clones[0], options.architectures[0]
    patches = Patches(folder / "vllm", first)
    patches.add(first, "Change a CUDA file", change_cu)
    warm = first.wheels("one line of a .cu file")
    whole = cold[architecture][0]
    print(f"one line of a .cu file: {warm.seconds / whole.seconds:.1%} of the cold build (5%)")
    figures: dict[str, object] = {
        "cold": {a: {**asdict(b), "peak_memory": m} for a, (b, m) in cold.items()},
        "warm": asdict(warm),
    }
    if len(options.architectures) > 1:
        write = (first.folder / "bench.yaml").write_text
        write(yaml.safe_dump(settings(options.architectures[1])), encoding="utf-8")
        other = first.wheels(f"{architecture} changed to {options.architectures[1]}")
        write(yaml.safe_dump(settings(architecture)), encoding="utf-8")
        figures |= {"changed": asdict(other), "back": asdict(first.wheels("and back"))}
    write_text(PROJECT / "results/bench/cuda.json", json.dumps(figures, indent=2) + "\n")
    if not options.keep:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
