"""The probe of this machine: compilers, libc, instruction sets, GPUs, memory.

It is cached in results/machine.json and made again when a tool's file, one of the variables that
choose tools, a GPU's driver, or the probe itself changes, so that computing keys starts no
subprocess.
"""

import os
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Literal

from snakedev.base.cpu import best_isa, cpu_flags
from snakedev.base.errors import UserError
from snakedev.base.process import CommandError, output
from snakedev.base.records import Record
from snakedev.machine import gpus
from snakedev.machine.compilers import find_compiler
from snakedev.machine.sandbox import Sandbox

_PROBE_NUMBER = 5
_WATCHED_VARIABLES = ("CC", "CXX", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN")


class Tool(Record):
    """A compiler or another program that builds use."""

    path: Path
    identity: str
    """What enters keys: its version, as it says it itself."""


class Gpu(Record):
    """A GPU that its vendor's own program shows."""

    vendor: Literal["nvidia", "amd"]
    name: str
    architecture: str
    """Its compute capability, such as `9.0`, or AMD's name of it, such as `gfx942`."""


class Machine(Record):
    """What the probe saw."""

    probe: int = _PROBE_NUMBER
    watched: dict[str, str]
    """Files (with mtimes) and variables that the probe depends on."""
    tools: dict[str, Tool]
    """cc, cxx, rustc, cargo, make: those that are there and answer."""
    rust_toolchain: str | None
    """The name that RUSTUP_TOOLCHAIN takes, where rustup is used."""
    libc: str
    isa: str
    """The best instruction set of the CPU among those that vLLM compiles for."""
    gpus: tuple[Gpu, ...]
    """In the order of the program that shows them; none where there is no such program."""
    empty_network: bool
    """Whether a program can be started in an empty network namespace."""
    fixed_paths: bool
    """Whether builds can see their folders at fixed paths, in a mount namespace."""


def probe(
    path: Path,
    root: Path = Path("/"),
    gpu_seconds: float = gpus.SECONDS,
    *,
    keep: bool = True,
) -> Machine:
    """The machine's record, from its cache where that still holds; else ``keep`` renews that.

    ``root`` is where proc/ and dev/ show the GPUs' drivers; ``gpu_seconds`` is how long a program
    that shows GPUs may take.
    """
    watched = _watched(root)
    if path.is_file():
        try:
            known = Machine.read(path)
        except UserError:
            known = None  # written by another version of the probe
        if known and known.probe == _PROBE_NUMBER and known.watched == watched:
            return known
    machine = Machine(
        watched=watched,
        tools=_tools(),
        rust_toolchain=_rust_toolchain(),
        libc="-".join(platform.libc_ver()),
        isa=best_isa(cpu_flags()),
        gpus=_gpus(gpu_seconds),
        empty_network=_can_use(cut_network=True),
        fixed_paths=_can_use(fixed_paths=True),
    )
    if keep:
        machine.write(path)
    return machine


def _tools() -> dict[str, Tool]:
    """The tools that are there. Rust's are asked outside any project: a rust-toolchain file in
    the working folder would make rustup answer for another toolchain."""
    candidates = {
        "cc": (find_compiler("cc"), ["-dumpfullversion", "-dumpversion"]),
        "cxx": (find_compiler("cxx"), ["-dumpfullversion", "-dumpversion"]),
        "rustc": (shutil.which("rustc"), ["-vV"]),
        "cargo": (shutil.which("cargo"), ["-V"]),
        "make": (shutil.which("make"), ["--version"]),
    }
    found = {}
    for name, (path, question) in candidates.items():
        if path is None:
            continue
        try:
            answer = _ask([path, *question])
            if name in ("cc", "cxx"):
                answer = f"{Path(path).name} {answer} {_ask([path, '-dumpmachine'])}"
            elif name == "make":
                answer = answer.partition("\n")[0]
                if not answer.startswith("GNU Make"):
                    continue  # another make cannot read the makefiles of what is built here
            found[name] = Tool(path=Path(path), identity=answer)
        except (CommandError, OSError):
            continue  # a shim without a toolchain behind it is as good as none
    return found


def _ask(command: list[str | Path]) -> str:
    return output(command, env={**os.environ, "LC_ALL": "C"}, cwd="/")


def _gpus(seconds: float) -> tuple[Gpu, ...]:
    nvidia = [
        Gpu(vendor="nvidia", name=name, architecture=capability)
        for name, capability in gpus.nvidia("name", "compute_cap", seconds=seconds)
        # an old driver knows none, and says so in its place
        if re.fullmatch(r"\d+\.\d", capability)
    ]
    amd = [
        Gpu(vendor="amd", name=name or "AMD GPU", architecture=architecture)
        for name, architecture in gpus.amd(seconds)
    ]
    return (*nvidia, *amd)


def _rust_toolchain() -> str | None:
    if shutil.which("rustup") is None:
        return None
    try:
        return _ask(["rustup", "show", "active-toolchain"]).split()[0]
    except (CommandError, IndexError):
        return None


def _watched(root: Path) -> dict[str, str]:
    rustup = Path(os.environ.get("RUSTUP_HOME", Path.home() / ".rustup"))
    of_gpus, of_drivers = gpus.watched(root)
    files = [
        find_compiler("cc"),
        find_compiler("cxx"),
        *(shutil.which(name) for name in ("rustc", "cargo", "rustup", "make")),
        rustup / "settings.toml",
        rustup / "toolchains",
        *of_gpus,
    ]
    seen = {name: os.environ[name] for name in _WATCHED_VARIABLES if name in os.environ}
    for file in files:
        if file is not None and Path(file).exists():
            real = Path(file).resolve()
            seen[str(file)] = f"{real}@{real.stat().st_mtime_ns}"
    for file in of_drivers:
        if file.is_file():
            seen[str(file)] = file.read_text().partition("\n")[0]
    return seen


def _can_use(*, fixed_paths: bool = False, cut_network: bool = False) -> bool:
    """Whether a program can be started in a sandbox of this kind."""
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder), fixed_paths=fixed_paths, cut_network=cut_network)
        try:
            done = subprocess.run(sandbox.command("true"), capture_output=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0
