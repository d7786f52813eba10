"""What a machine lacks, all of it at once, before anything is built."""

import ctypes
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from snakedev.machine.probe import Machine

# By the package manager that is there: how to get a thing that is missing.
_COMMANDS = {
    "git": {
        "apt-get": "apt-get install git",
        "dnf": "dnf install git",
        "pacman": "pacman -S git",
        "zypper": "zypper install git",
    },
    "a C++ compiler (g++ 12.2 or later)": {
        "apt-get": "apt-get install g++",
        "dnf": "dnf install gcc-c++",
        "pacman": "pacman -S gcc",
        "zypper": "zypper install gcc-c++",
    },
    "a C compiler": {
        "apt-get": "apt-get install gcc",
        "dnf": "dnf install gcc",
        "pacman": "pacman -S gcc",
        "zypper": "zypper install gcc",
    },
    "GNU make": {
        "apt-get": "apt-get install make",
        "dnf": "dnf install make",
        "pacman": "pacman -S make",
        "zypper": "zypper install make",
    },
    "libnuma": {
        "apt-get": "apt-get install libnuma1",
        "dnf": "dnf install numactl-libs",
        "pacman": "pacman -S numactl",
        "zypper": "zypper install libnuma1",
    },
    "a Rust toolchain (rustc and cargo)": {
        "": "see https://rustup.rs, or this system's packages rustc and cargo",
    },
}
_TOOLS = {
    "cc": "a C compiler",
    "cxx": "a C++ compiler (g++ 12.2 or later)",
    "rustc": "a Rust toolchain (rustc and cargo)",
    "cargo": "a Rust toolchain (rustc and cargo)",
    "make": "GNU make",
}
LIBRARIES = {"libnuma": "libnuma.so.1"}


@dataclass(frozen=True)
class Disk:
    """What has to be free for results/, in bytes."""

    first: float = 16e9
    """Two environments with torch's libraries (hard links into uv's cache where that is on the same
    file system), sources and builds."""
    later: float = 4e9
    """Where a run environment stands, most of that is there."""


def missing(
    machine: Machine,
    tools: Sequence[str],
    libraries: Mapping[str, str] = MappingProxyType({}),
    disk: Disk = Disk(),
) -> list[str]:
    """A line for each thing that is needed and not there, with the command that gets it.

    ``tools`` are the compilers that the required repos use; a C compiler and git always are.
    ``libraries`` are those that are loaded from this machine, with their files' names.
    """
    lacks = [] if shutil.which("git") else ["git"]
    for tool in ("cc", *tools):
        if tool not in machine.tools and _TOOLS[tool] not in lacks:
            lacks.append(_TOOLS[tool])
    lacks += [name for name, file in libraries.items() if not _loads(file)]
    lines = [f"{what} is missing: {_how(what)}" for what in lacks]
    results = Path("results")
    free = shutil.disk_usage(_existing(results)).free
    needed, run = disk.first, "a first run, with torch's wheels,"
    if any(results.glob("envs/run-*")):
        needed, run = disk.later, "a later run"
    if free < needed:
        lines.append(
            f"{free / 1e9:.0f} GB are free for results/: {run} needs about {needed / 1e9:.0f} GB"
        )
    return lines


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _existing(path: Path) -> Path:
    return path if path.exists() else Path(os.curdir)


def _how(what: str) -> str:
    """The command that gets something with this system's package manager."""
    ways = _COMMANDS[what]
    for manager, command in ways.items():
        if not manager or shutil.which(manager):
            return command
    return f"install it with this system's package manager (Debian: {ways['apt-get']})"
