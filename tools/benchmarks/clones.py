"""Clones of the project to measure builds in, and edits of vLLM's patches there."""

import hashlib
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from tools.project import PROJECT

_IDENTITY = ("-c", "user.name=Benchmark", "-c", "user.email=benchmark@localhost")


@dataclass
class Built:
    """One run of `snakemake wheels_VARIANT`."""

    what: str
    seconds: float
    processor_seconds: float
    """Of all its processes; on a machine with other work the steadier figure."""
    compiled: int
    """C, C++ and CUDA files that vLLM's build compiled; 0 where it did not run."""
    cached: int
    """Those of them that the compiler cache had."""


class Clone:
    """A fresh clone of the project with settings of its own."""

    def __init__(self, folder: Path, config: dict[str, object], variant: str = "cpu"):
        self.folder, self.results, self.variant = folder, folder / "results", variant
        subprocess.run(["git", "clone", "--quiet", PROJECT, folder], check=True)
        self.configure(config)
        self.results.mkdir()
        for name in ("interpreter", "downloads"):
            if (there := PROJECT / "results" / name).is_dir():
                shutil.copytree(there, self.results / name, symlinks=True)

    def configure(self, config: dict[str, object]) -> None:
        """Have settings beside the clone's config.yaml from here on."""
        (self.folder / "bench.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")

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
        self.snakemake(f"wheels_{self.variant}", "--omit-from", "wheel")

    def wheels(self, what: str) -> Built:
        """Run `snakemake wheels_VARIANT`, timed, and say what it took."""
        known, hits = set(self._logs()), self._cache_hits()
        before = _processor_seconds()
        seconds = self.snakemake(f"wheels_{self.variant}")
        spent = _processor_seconds() - before
        compiled = 0
        for log in set(self._logs()) - known:
            text = log.read_text(encoding="utf-8", errors="replace")
            compiled += len(
                re.findall(r"^\[\d+/\d+\] Building C(?:XX|UDA)? object", text, re.MULTILINE)
            )
        cached = self._cache_hits() - hits
        built = Built(what, round(seconds, 1), round(spent, 1), compiled, cached)
        print(
            f"{what}: {seconds:.1f} s, {spent:.1f} s of processors, {compiled} files compiled, "
            f"{cached} of them cached",
            flush=True,
        )
        return built

    def _cache_hits(self) -> int:
        folder = self.results / "cache" / "ccache"
        if not folder.is_dir():
            return 0
        program = Path(sys.executable).with_name("ccache")
        printed = subprocess.run(
            [program, "--dir", folder, "--print-stats"],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        counts = dict(line.split("\t") for line in printed.splitlines())
        return int(counts["direct_cache_hit"]) + int(counts["preprocessed_cache_hit"])

    def _logs(self) -> list[Path]:
        return list(self.results.glob(f"wheels/{self.variant}/vllm/*/build.log"))

    def vllm_wheels(self) -> dict[str, str]:
        """sha256 of each vLLM wheel in the store, by key."""
        return {
            path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.results.glob(f"wheels/{self.variant}/vllm/*/*.whl")
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


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def replace(file: Path, text: str, other: str) -> None:
    """Put a text in place of another in a file; ends the program where it is not there."""
    found = file.read_text(encoding="utf-8")
    if text not in found:
        sys.exit(f"{file} has no {text!r}: the benchmark does not fit this version of vLLM")
    file.write_text(found.replace(text, other), encoding="utf-8")
