"""Compilers: commands in variables, launchers before them, and what nvcc calls."""

import os
import shutil
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.machine.compilers import find_compiler, launcher
from snakedev.machine.probe import probe

GCC, GXX = shutil.which("gcc"), shutil.which("g++")


def script(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable that chooses a compiler."""
    for name in ("CC", "CXX", "CUDAHOSTCXX"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on PATH."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def test_the_usual_names_are_tried_in_their_order(tools: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tools))
    assert find_compiler("cxx", {}) is None
    clang = script(tools, "clang++", "")
    assert find_compiler("cxx", {}) == (str(clang),)
    gxx = script(tools, "g++", "")
    for value in ("", " "):
        assert find_compiler("cxx", {"CXX": value}) == (str(gxx),)
    assert find_compiler("cc", {"CC": "g++"}) == (str(gxx),)


@pytest.mark.parametrize(
    ("value", "command"),
    [
        ("gcc", ("gcc",)),
        ("gcc -m64", ("gcc", "-m64")),
        ("ccache gcc", ("gcc",)),
        ("/usr/bin/ccache gcc -m64 -pipe", ("gcc", "-m64", "-pipe")),
        ("ccache compiler_check=content sccache gcc", ("gcc",)),
        ("distcc gcc '-DNAME=a b'", ("gcc", "-DNAME=a b")),
        # no launcher that is known: it is part of the compiler
        ("env -u X gcc", ("env", "-u", "X", "gcc")),
    ],
)
def test_a_variable_is_a_command(value: str, command: tuple[str, ...]) -> None:
    program, *arguments = command
    assert find_compiler("cc", {"CC": value}) == (shutil.which(program), *arguments)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no-such-gcc", "CC: there is no program no-such-gcc: name a C compiler, or unset CC"),
        ("/nowhere/gcc -m64", "CC: there is no program /nowhere/gcc: name a C compiler"),
        ("/etc/passwd", "CC: there is no program /etc/passwd: name a C compiler"),
        ("ccache no-such-gcc", "CC: there is no program no-such-gcc: name a C compiler"),
        ("ccache", "CC: 'ccache' is a launcher without a compiler: name one after it"),
        ("gcc '-DX", "CC: gcc '-DX is no command: no closing quotation"),
    ],
)
def test_a_variable_that_names_no_compiler_is_refused(value: str, said: str) -> None:
    with pytest.raises(UserError) as raised:
        find_compiler("cc", {"CC": value})
    assert str(raised.value).startswith(said) and "\n" not in str(raised.value)


def test_a_launcher_is_told(tools: Path) -> None:
    assert launcher("cc", {"CC": "ccache gcc"}) == "ccache"
    assert launcher("cxx", {"CXX": "sccache g++ -O2"}) == "sccache"
    for value in ("gcc", "", "gcc '"):
        assert launcher("cc", {"CC": value}) is None


def test_a_link_by_which_a_launcher_stands_in_is_looked_past(tools: Path) -> None:
    script(tools / "bin", "ccache", "exit 1")
    for name in ("gcc", "g++"):
        (tools / name).symlink_to("bin/ccache")
    assert find_compiler("cc", {}) == (GCC,)
    assert find_compiler("cxx", {"CXX": str(tools / "g++")}) == (GXX,)


def test_a_relative_path_is_one_of_the_working_folder(tmp_path: Path, monkeypatch) -> None:
    script(tmp_path / "bin", "mycc", "")
    monkeypatch.chdir(tmp_path)
    assert find_compiler("cc", {"CC": "bin/mycc"}) == (str(tmp_path / "bin/mycc"),)


def identities(tmp_path: Path) -> dict[str, str]:
    tools = probe(tmp_path / "machine.json").tools
    names = ("cc", "cxx", "cudahostcxx")
    return {name: tools[name].identity for name in names if name in tools}


def test_arguments_are_part_of_the_identity_and_a_launcher_is_not(
    tmp_path: Path, monkeypatch
) -> None:
    plain = identities(tmp_path)
    version = plain["cc"].removeprefix("gcc ")
    for value, identity in (
        ("ccache gcc", f"gcc {version}"),
        ("gcc -m64", f"gcc -m64 {version}"),
        ("gcc", f"gcc {version}"),
    ):
        monkeypatch.setenv("CC", value)
        assert identities(tmp_path) == plain | {"cc": identity}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("exit 1", "exit status 1"),
        ("echo hello", "its version is 'hello'"),
        ("", "its version is ''"),
    ],
)
def test_a_program_that_is_no_compiler_is_refused(
    tmp_path: Path, tools: Path, monkeypatch, text: str, why: str
) -> None:
    script(tools, "mycc", text)
    monkeypatch.setenv("CC", "mycc")
    machine = probe(tmp_path / "machine.json")
    assert "cc" not in machine.tools and "cxx" in machine.tools
    line = machine.refused["cc"]
    assert line.startswith("CC: mycc does not answer as a compiler does (") and why in line
    # without the variable it is as good as none
    monkeypatch.delenv("CC")
    (tools / "mycc").rename(tools / "gcc")
    machine = probe(tmp_path / "machine.json")
    assert "cc" not in machine.tools and machine.refused == {}


def test_a_wrapper_of_a_compiler_is_asked_again_when_that_changes(
    tmp_path: Path, tools: Path, monkeypatch
) -> None:
    script(tools, "mygcc", "echo 1.0")
    monkeypatch.setenv("CC", "env mygcc")
    assert identities(tmp_path)["cc"] == "env mygcc 1.0 1.0"
    os.utime(script(tools, "mygcc", "echo 2.0"), (2e9, 2e9))
    assert identities(tmp_path)["cc"] == "env mygcc 2.0 2.0"


def test_nvcc_calls_what_cudahostcxx_or_cxx_names(tmp_path: Path, tools: Path, monkeypatch) -> None:
    script(tools, "g++-13", "echo 13")
    assert "cudahostcxx" not in identities(tmp_path)
    # what nvcc finds by itself
    for value in ("g++", str(GXX), "ccache g++", "g++ -static-libstdc++"):
        monkeypatch.setenv("CXX", value)
        assert "cudahostcxx" not in identities(tmp_path)
    script(tools, "gcc", "echo 11")
    assert identities(tmp_path)["cudahostcxx"].startswith("g++ ")
    (tools / "gcc").unlink()
    monkeypatch.setenv("CXX", "g++-13 -pipe")
    assert identities(tmp_path)["cudahostcxx"] == "g++-13 13 13"
    monkeypatch.setenv("CUDAHOSTCXX", "g++")
    assert "cudahostcxx" not in identities(tmp_path)
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("CUDAHOSTCXX", str(tools / "g++-13"))
    assert identities(tmp_path)["cudahostcxx"] == "g++-13 13 13"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no-such", "CUDAHOSTCXX: there is no program no-such: name a C++ compiler"),
        ("g++ -m64", "CUDAHOSTCXX: g++ -m64 has arguments, and nvcc takes none: name the program"),
    ],
)
def test_what_nvcc_cannot_call_is_refused(tmp_path: Path, monkeypatch, value, said) -> None:
    monkeypatch.setenv("CUDAHOSTCXX", value)
    machine = probe(tmp_path / "machine.json")
    assert machine.refused["cudahostcxx"].startswith(said)
    assert {"cc", "cxx"} <= set(machine.tools)
