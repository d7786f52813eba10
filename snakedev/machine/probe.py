"""The probe of this machine: compilers, libc, instruction sets, GPUs, memory.

It is cached in results/machine.json, and made again when a tool's file, one of the variables that
choose tools, the CPU, the C library, a GPU's driver, or the probe itself is another: computing keys
starts no subprocess, and a folder that several machines share serves each of them.
"""

import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from snakedev.base.cpu import best_isa, cpu_flags
from snakedev.base.errors import UserError
from snakedev.base.process import CommandError, output
from snakedev.base.records import Record
from snakedev.machine import gpus
from snakedev.machine.compilers import VARIABLES, find_compiler

_PROBE_NUMBER = 6
_WATCHED_VARIABLES = (*VARIABLES.values(), "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN")


class Tool(Record):
    """A compiler or another program that builds use."""

    path: Path
    arguments: tuple[str, ...] = ()
    """What CC or CXX says besides."""
    identity: str
    """What enters keys: its version, as it says it itself, and the arguments."""

    @property
    def command(self) -> tuple[str, ...]:
        """The program with its arguments."""
        return (str(self.path), *self.arguments)


class Gpu(Record):
    """A GPU that its vendor's own program shows."""

    vendor: Literal["nvidia", "amd"]
    name: str
    architecture: str
    """Its compute capability, such as `9.0`, or AMD's name of it, such as `gfx942`."""

    @classmethod
    def named(cls, architecture: str) -> "Gpu":
        """A GPU of which only that is known."""
        if architecture.startswith("gfx"):
            return cls(vendor="amd", name="AMD GPU", architecture=architecture)
        return cls(vendor="nvidia", name="NVIDIA GPU", architecture=architecture)


class Machine(Record):
    """What the probe saw."""

    probe: int = _PROBE_NUMBER
    watched: dict[str, str]
    """Files (with mtimes) and variables that the probe depends on."""
    tools: dict[str, Tool]
    """cc, cxx, rustc, cargo, make: those that are there and answer. And cudahostcxx, where nvcc is
    to call another compiler than the gcc that it finds."""
    refused: dict[str, str] = {}
    """By tool: what is wrong with the variable that chooses it."""
    rust_toolchain: str | None
    """The name that RUSTUP_TOOLCHAIN takes, where rustup is used."""
    libc: str
    isa: str
    """The best instruction set of the CPU among those that vLLM compiles for."""
    gpus: tuple[Gpu, ...]
    """In the order of the program that shows them; none where there is no such program."""


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
    cheap = {
        "watched": _watched(root),
        "libc": "-".join(platform.libc_ver()),
        "isa": best_isa(cpu_flags(root)),
    }
    if path.is_file():
        try:
            known = Machine.read(path)
        except UserError:
            known = None  # written by another version of the probe
        if known and known.probe == _PROBE_NUMBER and cheap.items() <= dict(known).items():
            return known
    compilers, refused = _compilers()
    machine = Machine(
        **cheap,
        tools=compilers | _other_tools(),
        refused=refused,
        rust_toolchain=_rust_toolchain(),
        gpus=_gpus(gpu_seconds),
    )
    if keep:
        try:
            machine.write(path)
        except OSError:
            pass  # it is asked again each time
    return machine


def here(path: Path, head: Path) -> Machine:
    """The record of the machine that a job runs on, from its cache in ``path``; that of the head,
    which began the run, is never renewed by a job."""
    return probe(path, keep=path != head)


def _compilers() -> tuple[dict[str, Tool], dict[str, str]]:
    """The compilers that are there, and what is wrong with the variables that name others."""
    found: dict[str, Tool] = {}
    refused: dict[str, str] = {}
    for kind, variable in VARIABLES.items():
        try:
            command = find_compiler(kind) if kind != "cudahostcxx" else _host_compiler(found)
            if command:
                found[kind] = _compiler(command)
        except UserError as error:
            refused[kind] = str(error)
        except (CommandError, OSError, ValueError) as error:
            if os.environ.get(variable, "").strip():
                refused[kind] = (
                    f"{variable}: {os.environ[variable]} does not answer as a compiler does "
                    f"({error}): name another, or unset {variable}"
                )
    return found, refused


def _host_compiler(found: Mapping[str, Tool]) -> tuple[str, ...] | None:
    """What nvcc is to call, CUDAHOSTCXX's or CXX's, where the gcc that it finds is another GCC.

    It takes a program, and no arguments.
    """
    if os.environ.get("CUDAHOSTCXX", "").strip():
        command = find_compiler("cudahostcxx")
    else:
        command = (str(found["cxx"].path),) if "cxx" in found else None
    usual = find_compiler("cudahostcxx", {})
    if command is None:
        return None
    if len(command) > 1:
        raise UserError(
            f"CUDAHOSTCXX: {os.environ['CUDAHOSTCXX']} has arguments, and nvcc takes none: name "
            f"the program alone, or one that calls it so"
        )
    if usual is None:
        return command
    asked = _compiler(command).identity.replace("g++", "gcc", 1)
    return None if asked == _compiler(usual).identity else command


def _compiler(command: tuple[str, ...]) -> Tool:
    """A compiler, as it answers; raises ValueError for a program that is none."""
    program, *arguments = command
    version = _ask([*command, "-dumpfullversion", "-dumpversion"])
    if not re.match(r"\d+(\.\d+)*", version):
        raise ValueError(f"its version is {version.partition(chr(10))[0][:40]!r}")
    names = " ".join([Path(program).name, *arguments])
    identity = f"{names} {version} {_ask([*command, '-dumpmachine'])}"
    return Tool(path=Path(program), arguments=tuple(arguments), identity=identity)


def _other_tools() -> dict[str, Tool]:
    """Rust's tools and make. Rust's are asked outside any project: a rust-toolchain file in the
    working folder would make rustup answer for another toolchain."""
    found = {}
    for name, question in (("rustc", "-vV"), ("cargo", "-V"), ("make", "--version")):
        path = shutil.which(name)
        if path is None:
            continue
        try:
            answer = _ask([path, question])
        except (CommandError, OSError):
            continue  # a shim without a toolchain behind it is as good as none
        if name == "make":
            answer = answer.partition("\n")[0]
            if not answer.startswith("GNU Make"):
                continue  # another make cannot read the makefiles of what is built here
        found[name] = Tool(path=Path(path), identity=answer)
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
    rustup = rustup_home()
    of_gpus, of_drivers = gpus.watched(root)
    files = [
        *_words(),
        *(shutil.which(name) for name in ("rustc", "cargo", "rustup", "make")),
        rustup / "settings.toml",
        # a toolchain is updated in its place, and shims stay as they are
        *rustup.glob("toolchains/*/bin/rustc"),
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


def _words() -> Iterator[str | None]:
    """The programs that compilers' commands name; some are wrappers of others."""
    for kind in VARIABLES:
        for environment in (dict[str, str](), os.environ):
            try:
                words = find_compiler(kind, environment) or ()
            except UserError:
                continue
            yield from map(shutil.which, words)


def rustup_home() -> Path:
    """Where rustup keeps its toolchains."""
    return Path(os.environ.get("RUSTUP_HOME") or Path.home() / ".rustup")
