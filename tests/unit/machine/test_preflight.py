"""What a machine lacks is said at once, with the command of its own package manager."""

import shutil
from pathlib import Path

import pytest

from snakedev.machine.preflight import LIBRARIES, Disk, missing
from snakedev.machine.probe import Machine, Tool

ALL = ("cc", "cxx", "rustc", "cargo")
ANY = Disk(first=1, later=1)
"""A disk that is there has room enough."""


def machine(*tools: str) -> Machine:
    """A machine with these tools."""
    return Machine(
        watched={},
        tools={name: Tool(path=Path(f"/usr/bin/{name}"), identity="1") for name in tools},
        rust_toolchain=None,
        libc="glibc-2.36",
        isa="avx2",
        gpus=(),
    )


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with git alone, in a folder of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    offer(folder, "git")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def offer(folder: Path, name: str) -> None:
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)


def test_a_machine_that_has_all_lacks_nothing() -> None:
    assert missing(machine(*ALL), ALL, disk=ANY) == []


def test_what_no_required_repo_uses_is_not_asked_for() -> None:
    assert missing(machine("cc"), (), disk=ANY) == []
    assert missing(machine("cc", "cxx"), ("cc", "cxx"), disk=ANY) == []


def test_all_that_is_missing_is_said_at_once_and_each_thing_once(path: Path) -> None:
    (path / "git").unlink()
    lines = missing(machine(), (*ALL, "cc", "rustc"), disk=ANY)
    assert [line.partition(" is missing: ")[0] for line in lines] == [
        "git",
        "a C compiler",
        "a C++ compiler (g++ 12.2 or later)",
        "a Rust toolchain (rustc and cargo)",
    ]


@pytest.mark.parametrize("tool", ["rustc", "cargo"])
def test_half_a_rust_toolchain_is_none(tool: str) -> None:
    (line,) = missing(machine("cc", "cxx", tool), ALL, disk=ANY)
    assert line.startswith("a Rust toolchain (rustc and cargo) is missing: see https://rustup.rs")


@pytest.mark.parametrize(
    ("manager", "git", "cxx"),
    [
        ("apt-get", "apt-get install git", "apt-get install g++"),
        ("dnf", "dnf install git", "dnf install gcc-c++"),
        ("pacman", "pacman -S git", "pacman -S gcc"),
        ("zypper", "zypper install git", "zypper install gcc-c++"),
    ],
)
def test_the_command_is_that_of_the_package_manager_that_is_there(
    path: Path, manager: str, git: str, cxx: str
) -> None:
    (path / "git").unlink()
    offer(path, manager)
    assert missing(machine("cc"), ("cxx",), disk=ANY) == [
        f"git is missing: {git}",
        f"a C++ compiler (g++ 12.2 or later) is missing: {cxx}",
    ]


def test_another_system_is_told_what_debian_calls_it() -> None:
    (line,) = missing(machine("cc"), ("cxx",), disk=ANY)
    assert line.endswith("with this system's package manager (Debian: apt-get install g++)")


def test_a_disk_that_is_too_small_is_said_beside_the_rest(tmp_path: Path) -> None:
    needed = shutil.disk_usage(tmp_path).free + 10**12
    first, second = missing(machine("cc"), ("cxx",), disk=Disk(first=needed))
    assert "C++ compiler" in first
    assert "GB are free for results/" in second
    assert f"needs about {needed / 1e9:.0f} GB" in second


def test_a_later_run_needs_less_room(tmp_path: Path) -> None:
    (tmp_path / "results" / "envs").mkdir(parents=True)
    less = Disk(first=1e18, later=1)
    assert len(missing(machine("cc"), (), disk=less)) == 1
    (tmp_path / "results" / "envs" / "run-cpu-0123456789abcdef").mkdir()
    assert missing(machine("cc"), (), disk=less) == []
    (line,) = missing(machine("cc"), (), disk=Disk(later=1e18))
    assert line.endswith("GB are free for results/: a later run needs about 1000000000 GB")


def test_the_disk_that_counts_is_the_one_of_results(tmp_path: Path) -> None:
    # a file system that is always there and never has room
    (tmp_path / "results").symlink_to("/proc")
    (line,) = missing(machine("cc"), (), disk=ANY)
    assert line.startswith("0 GB are free for results/")


def test_a_library_that_does_not_load_is_missing(path: Path) -> None:
    offer(path, "apt-get")
    (name,) = LIBRARIES
    assert missing(machine("cc"), (), {name: "libc.so.6"}, ANY) == []
    (line,) = missing(machine("cc"), (), {name: "libnowhere.so.1"}, ANY)
    assert line == "libnuma is missing: apt-get install libnuma1"
