"""What a machine lacks, all of it at once, before anything is fetched or built."""

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from packaging.version import Version

from snakedev.machine.compilers import Gxx
from snakedev.machine.probe import Machine, Tool

# By the package manager that is there: how to get a thing that is missing.
_COMMANDS = {
    "git": {
        "apt-get": "apt-get install git",
        "dnf": "dnf install git",
        "pacman": "pacman -S git",
        "zypper": "zypper install git",
    },
    "a C++ compiler": {
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
        "": "see https://rustup.rs (a system's own packages are often too old for its crates)",
    },
}
# The package managers of systems with several releases, some with a g++ that is too old, and what
# is newer there. Of apt-get's, the package lists of the machine say it.
_NEWER_GXX = {
    "dnf": "dnf install gcc-c++; on RHEL 9 and its kin, whose g++ is 11, dnf install "
    "gcc-toolset-14, then run it within `scl enable gcc-toolset-14 bash`",
    "pacman": "pacman -Syu gcc",
    "zypper": "zypper install gcc-c++; on Leap 15, whose g++ is 7, zypper install gcc14-c++, then "
    "set CC=gcc-14 CXX=g++-14",
}
_TOOLS = {
    "cc": "a C compiler",
    "cxx": "a C++ compiler",
    "rustc": "a Rust toolchain (rustc and cargo)",
    "cargo": "a Rust toolchain (rustc and cargo)",
    "make": "GNU make",
}
LIBRARIES = {"libnuma": "libnuma.so.1"}


def missing(
    machine: Machine,
    tools: Iterable[str],
    libraries: Mapping[str, str] = MappingProxyType({}),
    gxx: Mapping[str, Gxx] = MappingProxyType({}),
    *,
    git: bool = True,
) -> list[str]:
    """A line for each thing that is needed and not there or too old, with how to get it.

    ``tools`` are those that jobs use; ``libraries`` those that are loaded from this machine, with
    their files' names; ``gxx`` says by what it is needed for which g++ a build takes.
    """
    lacks, lines = [] if shutil.which("git") or not git else ["git"], []
    for tool in dict.fromkeys(tools):
        if tool in machine.refused:
            lines.append(machine.refused[tool])
        elif tool in _TOOLS and tool not in machine.tools and _TOOLS[tool] not in lacks:
            lacks.append(_TOOLS[tool])
    if {_TOOLS["cc"], _TOOLS["cxx"]} <= {*lacks}:
        lacks.remove(_TOOLS["cc"])  # it comes with the one for C++
    lacks += [name for name, file in libraries.items() if not _loads(file)]
    least = max((Version(asked.least) for asked in gxx.values()), default=None)
    for what in lacks:
        if what == _TOOLS["cxx"] and least:
            lines.append(f"{what} (g++ {least} or later) is missing: {_newer_gxx(least)}")
        else:
            lines.append(f"{what} is missing: {_how(what)}")
    if (cxx := machine.tools.get("cxx")) is not None:
        for what, asked in gxx.items():
            if unfit := _unfit(cxx, asked):
                newer = _newer_gxx(Version(asked.least))
                lines.append(f"{what} needs g++ {asked.least} or later, and {unfit}: {newer}")
    return lines


def _unfit(cxx: Tool, asked: Gxx) -> str | None:
    """What stands against a compiler where some g++ is asked for."""
    named = f"CXX ({cxx.path})" if os.environ.get("CXX", "").strip() else str(cxx.path)
    if "clang" in cxx.path.name:
        return f"{named} is Clang" if asked.alone else None
    found = re.search(r" (\d+(?:\.\d+)*) \S+$", cxx.identity)
    if found and Version(found[1]) < Version(asked.least):
        return f"{named} is {found[1]}"
    return None


def too_full(needed: Mapping[Path, float], frees: str) -> list[str]:
    """A line for each folder on whose disk there is less room than ``needed`` there, in bytes.

    Folders on one disk share its room. ``frees`` says how to get more.
    """
    places: dict[int, list[Path]] = {}
    for folder in needed:
        places.setdefault(_existing(folder).stat().st_dev, []).append(folder)
    lines = []
    for folders in places.values():
        room = shutil.disk_usage(_existing(folders[0])).free
        wanted = sum(needed[folder] for folder in folders)
        if room < wanted:
            where = " and ".join(f"{folder}{os.sep}" for folder in folders)
            lines.append(
                f"{where}: {room / 1e9:.1f} GB are free, and this run needs about "
                f"{wanted / 1e9:.1f} GB there: {frees}"
            )
    return lines


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _existing(path: Path) -> Path:
    """A path, or the nearest folder above it that is there."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def _how(what: str) -> str:
    """The command that gets something with this system's package manager."""
    ways = _COMMANDS[what]
    for manager, command in ways.items():
        if not manager or shutil.which(manager):
            return command
    return f"install it with this system's package manager (Debian: {ways['apt-get']})"


def _newer_gxx(least: Version) -> str:
    """How to get a g++ of some version at least."""
    for manager, how in _NEWER_GXX.items():
        if shutil.which(manager):
            return how
    if shutil.which("apt-get"):
        return _newer_gxx_of_apt(least)
    return f"install g++ {least} or later with this system's package manager, and set CC and CXX"


def _newer_gxx_of_apt(least: Version) -> str:
    """The package that apt's lists have: the default one, else the newest of those beside it."""
    # EPOCH:VERSION-REVISION
    versions = {
        name: Version(found[1])
        for name, version in _apt_candidates(r"^g\+\+(-[0-9]+)?$")
        if (found := re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version))
    }
    if not versions:
        return f"apt-get update, then apt-get install g++ (it must be {least} or later)"
    if versions.get("g++", Version("0")) >= least:
        return "apt-get install g++"
    newest = max(versions, key=lambda name: versions[name])
    if versions[newest] >= least:
        number = newest.removeprefix("g++-")
        return f"apt-get install gcc-{number} {newest}, then set CC=gcc-{number} CXX={newest}"
    return f"this system's packages end at {versions[newest]}: set CC and CXX to another g++"


def _apt_candidates(names: str) -> list[tuple[str, str]]:
    """Packages whose names match, with the version that apt would install, as its lists have it."""
    try:
        found = _answer("apt-cache", "--names-only", "search", names)
        listed = [line.split(" ")[0] for line in found.splitlines()]
        policy = _answer("apt-cache", "policy", *listed) if listed else ""
    except (OSError, subprocess.SubprocessError):
        return []
    return re.findall(r"^(\S+):\n(?:  .*\n)*?  Candidate: (\d\S*)$", policy, re.MULTILINE)


def _answer(*command: str) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    return done.stdout
