"""What a machine lacks is said at once, with the command of its own package manager."""

import shutil
from pathlib import Path

import pytest

from snakedev.machine.compilers import Gxx
from snakedev.machine.preflight import LIBRARIES, missing, too_full
from snakedev.machine.probe import Machine, Tool

ALL = ("cc", "cxx", "rustc", "cargo")


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


def offer(folder: Path, name: str, text: str = "#!/bin/sh\n") -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def test_a_machine_that_has_all_lacks_nothing() -> None:
    assert missing(machine(*ALL), ALL) == []


def test_what_no_required_repo_uses_is_not_asked_for() -> None:
    assert missing(machine("cc"), ()) == []
    assert missing(machine("cc", "cxx"), ("cc", "cxx")) == []


def test_all_that_is_missing_is_said_at_once_and_each_thing_once(path: Path) -> None:
    (path / "git").unlink()
    lines = missing(machine(), (*ALL, "cc", "rustc"))
    assert [line.partition(" is missing: ")[0] for line in lines] == [
        "git",
        "a C++ compiler",
        "a Rust toolchain (rustc and cargo)",
    ]


@pytest.mark.parametrize("tool", ["rustc", "cargo"])
def test_half_a_rust_toolchain_is_none(tool: str) -> None:
    (line,) = missing(machine("cc", "cxx", tool), ALL)
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
    assert missing(machine("cc"), ("cxx",)) == [
        f"git is missing: {git}",
        f"a C++ compiler is missing: {cxx}",
    ]


def test_another_system_is_told_what_debian_calls_it() -> None:
    (line,) = missing(machine("cc"), ("cxx",))
    assert line.endswith("with this system's package manager (Debian: apt-get install g++)")


@pytest.mark.parametrize(
    ("cxx", "asked", "said"),
    [
        ("g++ 11.4.0 x86_64-linux-gnu", Gxx("12.2", alone=True), "/usr/bin/g++ is 11.4.0: "),
        ("g++ 12.2.0 x86_64-linux-gnu", Gxx("12.2", alone=True), None),
        ("g++ -m64 12 x86_64-redhat-linux", Gxx("12.2", alone=True), "/usr/bin/g++ is 12: "),
        ("g++ 9.3.0 x86_64-linux-gnu", Gxx("11.3", alone=False), "/usr/bin/g++ is 9.3.0: "),
        ("clang++ 19.1.7 x86_64-pc-linux-gnu", Gxx("12.2", alone=True), "is Clang: "),
        ("clang++ 10.0.0 x86_64-pc-linux-gnu", Gxx("11.3", alone=False), None),
    ],
)
def test_a_compiler_that_is_too_old_is_said(
    monkeypatch: pytest.MonkeyPatch, cxx: str, asked: Gxx, said: str | None
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    tool = Tool(path=Path("/usr/bin") / cxx.split()[0], identity=cxx)
    has = machine("cc").model_copy(update={"tools": {"cc": tool, "cxx": tool}})
    lines = missing(has, ("cc", "cxx"), gxx={"vllm (cpu)": asked})
    if said is None:
        assert lines == []
    else:
        (line,) = lines
        assert line.startswith(f"vllm (cpu) needs g++ {asked.least} or later, and ")
        assert said in line
        monkeypatch.setenv("CXX", "some-compiler")
        (line,) = missing(has, ("cc", "cxx"), gxx={"vllm (cpu)": asked})
        assert f", and CXX (/usr/bin/{tool.path.name}) is " in line


APT = """#!/bin/sh
case "$1" in
  --names-only) printf '%s - GNU C++ compiler\n' {names} ;;
  policy) shift; for name; do case $name in {versions} esac
    printf '%s:\n  Installed: (none)\n  Candidate: %s\n  Version table:\n' $name "$v"; done ;;
esac
"""


@pytest.mark.parametrize(
    ("packages", "how"),
    [
        ({"g++": "4:14.2.0-1", "g++-13": "13.3.0-13"}, "apt-get install g++"),
        (
            {"g++": "4:11.2.0-1ubuntu1", "g++-11": "11.4.0-1", "g++-12": "12.3.0-1ubuntu1"},
            "apt-get install gcc-12 g++-12, then set CC=gcc-12 CXX=g++-12",
        ),
        ({"g++": "4:10.2.1-1"}, "this system's packages end at 10.2.1: set CC and CXX to another"),
        ({"g++": "(none)"}, "apt-get update, then apt-get install g++ (it must be 12.2 or later)"),
    ],
)
def test_what_is_recommended_is_new_enough(path: Path, packages: dict[str, str], how: str) -> None:
    offer(path, "apt-get")
    versions = " ".join(f"{name}) v='{version}' ;;" for name, version in packages.items())
    offer(path, "apt-cache", APT.format(names=" ".join(packages), versions=versions))
    (line,) = missing(machine("cc"), ("cxx",), gxx={"vllm (cpu)": Gxx("12.2", alone=True)})
    assert line.startswith(f"a C++ compiler (g++ 12.2 or later) is missing: {how}")


def test_a_variable_that_names_no_compiler_is_said_once() -> None:
    line = "CC: there is no program nowhere: name a C compiler"
    wrong = machine("cxx").model_copy(update={"refused": {"cc": line, "cudahostcxx": "unused"}})
    assert missing(wrong, ("cc", "cxx", "cc")) == [line]


def test_removing_needs_no_git(path: Path) -> None:
    (path / "git").unlink()
    assert missing(machine(), (), git=False) == []


def test_a_disk_that_is_too_small_is_said_with_what_frees_room(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    results, store = Path("results"), tmp_path / "store"
    assert too_full({results: 1, store: 1}, "…") == []
    # folders on one disk share it
    (line,) = too_full({results: free * 0.6, store: free * 0.6}, "`snakemake prune_now` …")
    assert line.startswith(f"results/ and {store}/: ") and line.endswith(
        ": `snakemake prune_now` …"
    )
    assert f"this run needs about {free * 1.2 / 1e9:.1f} GB there" in line


def test_each_disk_is_looked_at(tmp_path: Path) -> None:
    # a file system that is always there and never has room
    for name in ("results", "store"):
        (tmp_path / name).symlink_to("/proc")
        (line,) = too_full({Path("here"): 1, Path(name): 1}, "…")
        assert line.startswith(f"{name}/: 0.0 GB are free, and this run needs about 0.0 GB there")
        (tmp_path / name).unlink()


def test_a_library_that_does_not_load_is_missing(path: Path) -> None:
    offer(path, "apt-get")
    (name,) = LIBRARIES
    assert missing(machine("cc"), (), {name: "libc.so.6"}) == []
    (line,) = missing(machine("cc"), (), {name: "libnowhere.so.1"})
    assert line == "libnuma is missing: apt-get install libnuma1"
