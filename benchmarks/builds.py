"""How long vLLM's CPU wheel takes to build: cold, with cores shared, and after a small change.

Run from the project: `python -m benchmarks.builds [--folder FOLDER] [--keep]`. Everything happens
in fresh clones of the project's HEAD, with the compiler cache off. The sources, crates and
environments are there before a clock starts.

1. A cold build with all repos switched on: CPU time over wall time and cores, between the start of
   the first compilation and the end of the last one, should be 0.85 or more.
2. In that clone, a warm build after each of some small changes of vLLM's patches.
3. In another clone, a cold build of vLLM alone, with the last of these changes: the yardstick. Its
   wheel is compared with the warm one, byte for byte.

About 45 minutes on 2 cores. The figures are kept in results/bench/builds.json.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import yaml

from scripts.records import write_text

_PROJECT = Path(__file__).parents[1]
_COMPILERS = {"cc1", "cc1plus", "rustc"}
_SAMPLE_SECONDS = 0.5
_IDENTITY = ("-c", "user.name=Benchmark", "-c", "user.email=benchmark@localhost")
_CMAKE = "cmake/cpu_extension.cmake"


class Load:
    """CPU time of this process's children, sampled while a command runs."""

    def __init__(self) -> None:
        self.samples: list[tuple[float, float]] = []
        """Wall-clock and CPU seconds at each sample in which a compiler was seen."""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(_SAMPLE_SECONDS):
            total, compiling = 0.0, False
            for child in psutil.Process().children(recursive=True):
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


@dataclass
class Built:
    """One run of `snakemake wheels_cpu`."""

    what: str
    seconds: float
    compiled: int
    """C and C++ files that vLLM's build compiled; 0 where it did not run."""


class Clone:
    """A fresh clone of the project with settings of its own."""

    def __init__(self, folder: Path, config: dict[str, object]):
        self.folder, self.results = folder, folder / "results"
        subprocess.run(["git", "clone", "--quiet", _PROJECT, folder], check=True)
        (folder / "bench.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        self.results.mkdir()
        for name in ("interpreter", "downloads"):
            if (there := _PROJECT / "results" / name).is_dir():
                shutil.copytree(there, self.results / name, symlinks=True)

    def snakemake(self, *arguments: str) -> float:
        """Run Snakemake in the clone; returns wall-clock seconds."""
        program = Path(sys.executable).with_name("snakemake")
        log = self.folder / "bench.log"
        started = time.monotonic()
        with log.open("a") as file:
            done = subprocess.run(
                [program, *arguments, "--configfile", "bench.yaml"],
                cwd=self.folder,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        if done.returncode:
            sys.exit(f"snakemake {' '.join(arguments)} failed: see {log}")
        return time.monotonic() - started

    def prepare(self) -> None:
        """Have all that builds are made from."""
        self.snakemake("wheels_cpu", "--omit-from", "wheel")

    def wheels(self, what: str) -> Built:
        """Run `snakemake wheels_cpu`, timed, and say what it took."""
        known = set(self._logs())
        seconds = self.snakemake("wheels_cpu")
        compiled = 0
        for log in set(self._logs()) - known:
            text = log.read_text(encoding="utf-8", errors="replace")
            compiled += len(
                re.findall(r"^\[\d+/\d+\] Building C(?:XX)? object", text, re.MULTILINE)
            )
        built = Built(what, round(seconds, 1), compiled)
        print(f"{what}: {seconds:.1f} s, {compiled} files compiled", flush=True)
        return built

    def _logs(self) -> list[Path]:
        return list(self.results.glob("wheels/cpu/vllm/*/build.log"))

    def vllm_wheels(self) -> dict[str, str]:
        """sha256 of each vLLM wheel in the store, by key."""
        return {
            path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.results.glob("wheels/cpu/vllm/*/*.whl")
        }


class Patches:
    """A checkout of vLLM with the series applied, whose further commits become patches."""

    def __init__(self, folder: Path, clone: Clone):
        (source,) = clone.results.glob("sources/vllm/*/tree")
        self.folder, self._number = folder, 9000
        subprocess.run(["git", "clone", "--quiet", source, folder], check=True)

    def add(self, clone: Clone, subject: str, edit: Callable[[Path], None]) -> Path:
        """Commit an edit and put it at the end of a clone's series; returns the patch."""
        edit(self.folder)
        self._git("add", "--all")
        self._git("commit", "--quiet", "-m", subject)
        self._number += 1
        written = self._git(
            *("format-patch", "-1", "--zero-commit", "--no-signature", "--no-renames"),
            *("--start-number", str(self._number), "-o", str(clone.folder / "patches/vllm")),
        )
        return Path(written)

    def _git(self, *arguments: str) -> str:
        command = ["git", *_IDENTITY, *arguments]
        done = subprocess.run(
            command, cwd=self.folder, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout.strip()


def _replace(file: Path, text: str, other: str) -> None:
    found = file.read_text(encoding="utf-8")
    if text not in found:
        sys.exit(f"{file} has no {text!r}: the benchmark does not fit this version of vLLM")
    file.write_text(found.replace(text, other), encoding="utf-8")


def change_cpp(tree: Path) -> None:
    """One line of one C++ file."""
    _replace(
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
    _replace(tree / _CMAKE, '"csrc/cpu/utils.cpp"', '"csrc/cpu/utils.cpp"\n"csrc/cpu/added.cpp"')


def delete_and_rename_files(tree: Path) -> None:
    """Those gone, and one of each kind under another name."""
    (tree / "vllm/added.py").unlink()
    (tree / "csrc/cpu/added.cpp").unlink()
    _replace(tree / _CMAKE, '\n"csrc/cpu/added.cpp"', "")
    (tree / "vllm/scalar_type.py").rename(tree / "vllm/scalar_types.py")
    for file in (tree / "vllm").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if "vllm.scalar_type " in text:
            file.write_text(text.replace("vllm.scalar_type ", "vllm.scalar_types "))
    (tree / "csrc/cpu/layernorm.cpp").rename(tree / "csrc/cpu/layer_norm.cpp")
    _replace(tree / _CMAKE, '"csrc/cpu/layernorm.cpp"', '"csrc/cpu/layer_norm.cpp"')


def main() -> None:
    """Do it all, print each figure as it comes, and the ratios at the end."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=_PROJECT / "results" / "bench" / "builds")
    parser.add_argument("--keep", action="store_true", help="leave the clones there")
    options = parser.parse_args()
    folder = options.folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    cores = len(os.sched_getaffinity(0))
    names = yaml.safe_load((_PROJECT / "config.yaml").read_text(encoding="utf-8"))["repos"]
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
    target = _PROJECT / "results" / "bench" / "builds.json"
    write_text(target, json.dumps(figures, indent=2) + "\n")
    if not options.keep:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
