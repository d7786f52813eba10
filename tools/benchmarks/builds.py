"""How long vLLM's CPU wheel takes to build: cold, with cores shared, and after a small change.

Run from the project: `python -m tools.benchmarks.builds [--folder FOLDER] [--keep]`. Everything
happens in fresh clones of the project's HEAD, with the compiler cache off. The sources, crates and
environments are there before a clock starts.

1. A cold build with all repos switched on: CPU time over wall time and cores, between the start of
   the first compilation and the end of the last one, should be 0.85 or more.
2. In that clone, a warm build after each of some small changes of vLLM's patches.
3. In another clone, a cold build of vLLM alone, with the last of these changes: the yardstick. Its
   wheel is compared with the warm one, byte for byte.

About 45 minutes on 2 cores. The figures are kept in results/bench/builds.json.
"""

import argparse
import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path

import psutil

from snakedev.base.capacity import available_cores
from snakedev.base.records import write_text
from snakedev.base.yaml_file import read_yaml
from tools.benchmarks.clones import PROJECT, Clone, Patches, replace
from tools.benchmarks.sampling import Sampler

_COMPILERS = {"cc1", "cc1plus", "rustc"}
_CMAKE = "cmake/cpu_extension.cmake"


class Load(Sampler):
    """CPU time of this process's children, sampled while a command runs."""

    def __init__(self) -> None:
        super().__init__()
        self.samples: list[tuple[float, float]] = []
        """Wall-clock and CPU seconds at each sample in which a compiler was seen."""

    def look(self, children: list[psutil.Process]) -> None:
        """Add up what the children took."""
        total, compiling = 0.0, False
        for child in children:
            try:
                # with what its own ended children took
                total += sum(child.cpu_times()[:4])
                compiling |= child.name() in _COMPILERS
            except psutil.Error:
                continue
        if compiling:
            self.samples.append((time.monotonic(), total))

    def utilisation(self, cores: int) -> float:
        """CPU time over wall time and cores, from the first compilation to the last."""
        (began, before), (ended, after) = self.samples[0], self.samples[-1]
        return (after - before) / (ended - began) / cores


def change_cpp(tree: Path) -> None:
    """One line of one C++ file."""
    replace(
        tree / "csrc/cpu/pos_encoding.cpp",
        '#include "cpu_types.hpp"',
        '#include "cpu_types.hpp"\nstatic_assert(sizeof(float) == 4);',
    )


def change_python(tree: Path) -> None:
    """One line of one Python file."""
    with (tree / "vllm/version.py").open("a", encoding="utf-8") as file:
        file.write("\nCHANGED = True\n")


def add_files(tree: Path) -> None:
    """A Python file and a C++ file more."""
    (tree / "vllm/added.py").write_text("ADDED = True\n", encoding="utf-8")
    (tree / "csrc/cpu/added.cpp").write_text("int snakedev_added() { return 1; }\n")
    replace(tree / _CMAKE, '"csrc/cpu/utils.cpp"', '"csrc/cpu/utils.cpp"\n"csrc/cpu/added.cpp"')


def delete_and_rename_files(tree: Path) -> None:
    """Those gone, and one of each kind under another name."""
    (tree / "vllm/added.py").unlink()
    (tree / "csrc/cpu/added.cpp").unlink()
    replace(tree / _CMAKE, '\n"csrc/cpu/added.cpp"', "")
    (tree / "vllm/scalar_type.py").rename(tree / "vllm/scalar_types.py")
    for file in (tree / "vllm").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if "vllm.scalar_type " in text:
            file.write_text(text.replace("vllm.scalar_type ", "vllm.scalar_types "))
    (tree / "csrc/cpu/layernorm.cpp").rename(tree / "csrc/cpu/layer_norm.cpp")
    replace(tree / _CMAKE, '"csrc/cpu/layernorm.cpp"', '"csrc/cpu/layer_norm.cpp"')


def main() -> None:
    """Do it all, print each figure as it comes, and the ratios at the end."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=PROJECT / "results" / "bench" / "builds")
    parser.add_argument("--keep", action="store_true", help="leave the clones there")
    options = parser.parse_args()
    folder = options.folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    cores = available_cores()
    names = read_yaml(PROJECT / "config.yaml")["repos"]
    quiet = {"build": {"compiler_cache": False}}

    shared = Clone(folder / "shared", {**quiet, "repos": {n: {"enabled": True} for n in names}})
    shared.prepare()
    patches = Patches(folder / "vllm", shared)
    with Load() as load:
        together = shared.wheels("cold, all repos")
    utilisation = load.utilisation(cores)
    print(f"CPU time over wall time and {cores} cores while compiling: {utilisation:.2f}")

    patches.add(shared, "Change a C++ file", change_cpp)
    cpp = shared.wheels("one line of a C++ file")
    python_patch = patches.add(shared, "Change a Python file", change_python)
    python = shared.wheels("one line of a Python file")
    hidden = python_patch.rename(python_patch.with_suffix(".off"))
    dry = shared.snakemake("-n", "wheels_cpu")
    back = shared.wheels("and back")
    hidden.rename(python_patch)
    patches.add(shared, "Add files", add_files)
    added = shared.wheels("a file more of each kind")
    patches.add(shared, "Delete and rename files", delete_and_rename_files)
    renamed = shared.wheels("files deleted and renamed")

    others = {n: {"enabled": n in ("vllm", "onednn")} for n in names}
    alone = Clone(folder / "alone", {**quiet, "repos": others})
    for patch in (shared.folder / "patches/vllm").glob("9*.patch"):
        shutil.copy(patch, alone.folder / "patches/vllm")
    alone.prepare()
    cold = alone.wheels("cold, vLLM alone, with all these changes")

    for built, most in ((cpp, 0.10), (python, 0.05)):
        ratio = built.seconds / cold.seconds
        print(f"{built.what}: {ratio:.1%} of the cold build (at most {most:.0%})")
    print(f"and back: {back.seconds - dry:.1f} s beyond `snakemake -n` (at most 10)")
    ((key, digest),) = alone.vllm_wheels().items()
    same = shared.vllm_wheels().get(key) == digest
    print(
        f"the warm wheel is the cold one of another folder byte for byte: {'yes' if same else 'no'}"
    )
    figures = {
        "cores": cores,
        "utilisation": round(utilisation, 3),
        "builds": [asdict(b) for b in (together, cpp, python, back, added, renamed, cold)],
        "dry_run_seconds": round(dry, 1),
        "warm_equals_cold": same,
    }
    target = PROJECT / "results" / "bench" / "builds.json"
    write_text(target, json.dumps(figures, indent=2) + "\n")
    if not options.keep:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
