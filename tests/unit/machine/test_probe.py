"""The probe of the machine: compilers, GPUs, and its cache."""

import os
import time
from pathlib import Path

import pytest

from snakedev.machine.probe import Gpu, Machine, probe


def program(folder: Path, name: str, answer: str, status: int = 0) -> Path:
    """A compiler that answers every question in the same way, and counts them in a file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho asked >> {folder}/asked\necho '{answer}'\nexit {status}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with a compiler of each kind, and nothing of this machine's."""
    folder = tmp_path / "tools"
    for name in ("gcc", "g++", "rustc", "cargo"):
        program(folder, name, "1.0")
    program(folder, "make", "GNU Make 4.3")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    for name in ("CC", "CXX", "CUDAHOSTCXX", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return folder


def asked(folder: Path) -> int:
    """How often the compilers were started."""
    log = folder / "asked"
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_compilers_are_identified_by_what_they_say(tmp_path: Path, tools: Path) -> None:
    machine = probe(tmp_path / "machine.json")
    assert set(machine.tools) == {"cc", "cxx", "rustc", "cargo", "make"}
    assert machine.tools["cc"].path == tools / "gcc"
    assert machine.tools["cc"].identity == "gcc 1.0 1.0"  # its version and its target
    assert machine.tools["rustc"].identity == "1.0"
    assert machine == Machine.read(tmp_path / "machine.json")


def test_a_second_probe_starts_no_compiler(tmp_path: Path, tools: Path) -> None:
    first = probe(tmp_path / "machine.json")
    before = asked(tools)
    assert before > 0
    assert probe(tmp_path / "machine.json") == first
    assert asked(tools) == before


def test_a_compiler_that_was_updated_is_asked_again(tmp_path: Path, tools: Path) -> None:
    probe(tmp_path / "machine.json")
    path = program(tools, "g++", "2.0")
    os.utime(path, (2e9, 2e9))
    machine = probe(tmp_path / "machine.json")
    assert machine.tools["cxx"].identity == "g++ 2.0 2.0"
    assert machine.tools["cc"].identity == "gcc 1.0 1.0"


def test_a_link_that_points_to_another_compiler_is_noticed(tmp_path: Path, tools: Path) -> None:
    (tools / "g++").unlink()
    (tools / "g++").symlink_to(program(tmp_path / "old", "g++-12", "12"))
    probe(tmp_path / "machine.json")
    (tools / "g++").unlink()
    (tools / "g++").symlink_to(program(tmp_path / "new", "g++-13", "13"))
    assert probe(tmp_path / "machine.json").tools["cxx"].identity == "g++ 13 13"


def test_tools_that_come_and_go_are_noticed(tmp_path: Path, tools: Path) -> None:
    cargo = tools / "cargo"
    # a tool that does not answer is as good as none, as a shim without a toolchain
    program(tools, "cargo", "no toolchain", status=1)
    assert "cargo" not in probe(tmp_path / "machine.json").tools
    program(tools, "cargo", "cargo 1.0")
    os.utime(cargo, (2e9, 2e9))
    assert probe(tmp_path / "machine.json").tools["cargo"].identity == "cargo 1.0"
    cargo.unlink()
    found = probe(tmp_path / "machine.json").tools.get("cargo")
    assert found is None or found.path != cargo  # the system may have one


def test_another_make_than_gnus_is_none(tmp_path: Path, tools: Path) -> None:
    assert probe(tmp_path / "machine.json").tools["make"].identity == "GNU Make 4.3"
    os.utime(program(tools, "make", "bmake 20200710"), (2e9, 2e9))
    assert "make" not in probe(tmp_path / "machine.json").tools


def test_cc_and_cxx_choose_the_compiler(
    tmp_path: Path, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe(tmp_path / "machine.json")
    chosen = program(tmp_path / "mine", "clang++", "19")
    monkeypatch.setenv("CXX", f"{chosen} -stdlib=libc++")
    machine = probe(tmp_path / "machine.json")
    assert machine.tools["cxx"].path == chosen
    assert machine.tools["cxx"].identity == "clang++ -stdlib=libc++ 19 19"
    assert machine.tools["cxx"].command == (str(chosen), "-stdlib=libc++")
    assert machine.tools["cc"].path == tools / "gcc"
    monkeypatch.setenv("CXX", "no-such-compiler")
    machine = probe(tmp_path / "machine.json")
    assert "cxx" not in machine.tools and machine.refused["cxx"].startswith("CXX: ")
    monkeypatch.delenv("CXX")
    assert probe(tmp_path / "machine.json").tools["cxx"].path == tools / "g++"


@pytest.fixture
def drivers(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No GPU and no program that shows one, and a root for the files of drivers."""
    monkeypatch.setenv("PATH", str(tools))
    for folder in ("proc/driver/nvidia/gpus", "dev"):
        (tmp_path / "root" / folder).mkdir(parents=True)
    return tmp_path / "root"


def nvidia_smi(folder: Path, answer: str, status: int = 0) -> None:
    """An nvidia-smi that is asked for names and compute capabilities."""
    path = folder / "nvidia-smi"
    path.write_text(
        "#!/bin/sh\n"
        f"echo asked >> {folder}/asked\n"
        '[ "$*" = "--query-gpu=name,compute_cap --format=csv,noheader" ] || exit 6\n'
        f"echo '{answer}'\nexit {status}\n"
    )
    path.chmod(0o755)


ROCMINFO = """\
ROCk module is loaded
*******
Agent 1
*******
  Name:                    AMD EPYC 9654 96-Core Processor
  Uuid:                    CPU-XX
  Marketing Name:          AMD EPYC 9654 96-Core Processor
  Device Type:             CPU
*******
Agent 2
*******
  Name:                    gfx942
  Uuid:                    GPU-24b776f768a638b
  Marketing Name:          AMD Instinct MI300X
  Device Type:             GPU
  ISA Info:
    ISA 1
      Name:                    amdgcn-amd-amdhsa--gfx942:sramecc+:xnack-
*******
Agent 3
*******
  Name:                    gfx90a
  Uuid:                    GPU-XX
  Marketing Name:
  Device Type:             GPU
"""


def test_a_machine_without_gpus_has_none(tmp_path: Path, drivers: Path) -> None:
    assert probe(tmp_path / "machine.json", drivers).gpus == ()


def test_nvidias_gpus_are_named_with_their_capabilities(
    tmp_path: Path, tools: Path, drivers: Path
) -> None:
    nvidia_smi(tools, "NVIDIA H100 80GB HBM3, 9.0\nNVIDIA Model, with comma, 12.0")
    machine = probe(tmp_path / "machine.json", drivers)
    assert machine.gpus == (
        Gpu(vendor="nvidia", name="NVIDIA H100 80GB HBM3", architecture="9.0"),
        Gpu(vendor="nvidia", name="NVIDIA Model, with comma", architecture="12.0"),
    )
    before = asked(tools)
    assert probe(tmp_path / "machine.json", drivers) == machine
    assert asked(tools) == before


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("NVIDIA-SMI has failed because it could not communicate with the driver.", 9),
        ("No devices were found", 0),
        ('Field "compute_cap" is not a valid field to query.', 0),
        ("An old GPU, [N/A]", 0),
        ("", 0),
    ],
)
def test_a_program_without_its_driver_shows_no_gpu(
    tmp_path: Path, tools: Path, drivers: Path, answer: str, status: int
) -> None:
    nvidia_smi(tools, answer, status)
    assert probe(tmp_path / "machine.json", drivers).gpus == ()


def test_a_program_that_hangs_is_not_waited_for(tmp_path: Path, tools: Path, drivers: Path) -> None:
    path = tools / "nvidia-smi"
    path.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    path.chmod(0o755)
    begun = time.monotonic()
    assert probe(tmp_path / "machine.json", drivers, gpu_seconds=0.2).gpus == ()
    assert time.monotonic() - begun < 30


def test_amds_gpus_are_named_with_their_architectures(
    tmp_path: Path, tools: Path, drivers: Path
) -> None:
    program(tools, "rocminfo", ROCMINFO)
    program(tools, "rocm_agent_enumerator", "gfx000\ngfx906")
    assert probe(tmp_path / "machine.json", drivers).gpus == (
        Gpu(vendor="amd", name="AMD Instinct MI300X", architecture="gfx942"),
        Gpu(vendor="amd", name="AMD GPU", architecture="gfx90a"),
    )


def test_the_agent_enumerator_stands_in_for_rocminfo(
    tmp_path: Path, tools: Path, drivers: Path
) -> None:
    program(tools, "rocminfo", "ROCk module is NOT loaded", status=1)
    program(tools, "rocm_agent_enumerator", "gfx000\ngfx1100\ngfx1100")
    gpu = Gpu(vendor="amd", name="AMD GPU", architecture="gfx1100")
    assert probe(tmp_path / "machine.json", drivers).gpus == (gpu, gpu)


def test_a_gpu_that_appears_is_noticed(tmp_path: Path, tools: Path, drivers: Path) -> None:
    nvidia = drivers / "proc" / "driver" / "nvidia"

    def count() -> int:
        return len(probe(tmp_path / "machine.json", drivers).gpus)

    def answer(text: str) -> None:
        """The same program, at another time: only the driver's files say that it was another."""
        nvidia_smi(tools, text)
        os.utime(tools / "nvidia-smi", (1e9, 1e9))

    assert count() == 0
    answer("No devices were found")
    assert count() == 0
    answer("NVIDIA L4, 8.9")
    assert count() == 0  # from the cache
    (nvidia / "gpus" / "0000:01:00.0").mkdir()
    (nvidia / "version").write_text("NVRM version: 580.1\n")
    assert count() == 1
    answer("NVIDIA L4, 8.9\nNVIDIA L4, 8.9")
    (nvidia / "gpus" / "0000:01:00.0" / "information").write_text("Model: NVIDIA L4\n")
    assert count() == 2
    program(tools, "rocm_agent_enumerator", "gfx1100")
    assert count() == 3
    program(tools, "rocm_agent_enumerator", "gfx1100\ngfx1100")
    os.utime(tools / "rocm_agent_enumerator", (1e9, 1e9))
    count()
    (drivers / "dev" / "kfd").touch()
    assert count() == 4
    (nvidia / "version").touch()
    before = asked(tools)
    assert count() == 4
    assert asked(tools) == before


@pytest.mark.parametrize("text", ["", "{", '{"probe": 1}', '{"probe": 1, "compilers": {}}'])
def test_a_cache_of_another_version_or_kind_is_made_again(
    tmp_path: Path, tools: Path, text: str
) -> None:
    (tmp_path / "machine.json").write_text(text)
    assert "cc" in probe(tmp_path / "machine.json").tools
    assert "cc" in Machine.read(tmp_path / "machine.json").tools


def test_an_older_probes_answers_are_not_used(tmp_path: Path, tools: Path) -> None:
    path = tmp_path / "machine.json"
    machine = probe(path)
    machine.model_copy(update={"probe": machine.probe - 1, "isa": "stale"}).write(path)
    assert probe(path) == machine
    machine.model_copy(update={"rust_toolchain": "kept"}).write(path)
    assert probe(path).rust_toolchain == "kept"


def test_another_cpu_or_c_library_is_noticed(tmp_path: Path, tools: Path, drivers: Path) -> None:
    path, cpuinfo = tmp_path / "machine.json", drivers / "proc" / "cpuinfo"
    for flags, isa in (
        ("fpu avx2 fma", "avx2"),
        ("fpu avx2 fma avx512f avx512bw avx512dq avx512vl", "avx512"),
        ("fpu avx2 fma", "avx2"),  # back on the first of two that share a home
    ):
        cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
        assert probe(path, drivers).isa == isa == Machine.read(path).isa
    machine = probe(path, drivers)
    machine.model_copy(update={"libc": "glibc-2.17"}).write(path)
    assert probe(path, drivers) == machine


def test_a_toolchain_that_rustup_updated_in_its_place_is_noticed(
    tmp_path: Path, tools: Path
) -> None:
    """Its shim stays the same, and so does the folder that toolchains lie in."""
    path = tmp_path / "machine.json"
    real = program(tmp_path / "home/.rustup/toolchains/stable/bin", "rustc", "rustc 1.90")
    program(tools, "rustc", "rustc 1.90")
    probe(path)
    os.utime(program(tools, "rustc", "rustc 1.95"), (1e9, 1e9))
    known = probe(path)
    os.utime(program(tools, "rustc", "rustc 1.96"), (1e9, 1e9))
    assert probe(path) == known
    os.utime(real, (2e9, 2e9))
    assert probe(path).tools["rustc"].identity == "rustc 1.96"
