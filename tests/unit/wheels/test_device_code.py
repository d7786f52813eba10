"""Device code: what a build asks for, what a library holds, and what runs where."""

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.process import CommandError
from snakedev.wheels import device_code

BUILD = """\
build CMakeFiles/_C.dir/a.cu.o: CUDA_COMPILER___C_unscanned_Release /source/a.cu || cmake
  FLAGS = -O2 -gencode arch=compute_80,code=sm_80 -gencode arch=compute_80,code=compute_80
  OBJECT_DIR = CMakeFiles/_C.dir
build CMakeFiles/_C.dir/b.cu.o: CUDA_COMPILER___C_unscanned_Release /source/b.cu || cmake
  FLAGS = -gencode=arch=compute_90a,code=sm_90a
  OBJECT_DIR = CMakeFiles/_C.dir
build CMakeFiles/_D.dir/c.cu.o: CUDA_COMPILER___D_unscanned_Release /source/c.cu || cmake
  FLAGS = -O2
  OBJECT_DIR = CMakeFiles/_D.dir
build CMakeFiles/_E.dir/e.cpp.o: CXX_COMPILER___E_unscanned_Release /source/e.cpp || cmake
  FLAGS = -gencode arch=compute_70,code=sm_70
  OBJECT_DIR = CMakeFiles/_E.dir
build project/CMakeFiles/_F.dir/src/f.cu.o: CUDA_COMPILER___F_unscanned_Release /f/src/f.cu || cmake
  FLAGS = -gencode arch=compute_80,code=sm_80
  OBJECT_DIR = project/CMakeFiles/_F.dir
build CMakeFiles/_G.dir/g.hip.o: HIP_COMPILER___G_unscanned_Release /source/g.hip || cmake
  FLAGS = -O2 --offload-arch=gfx90a --offload-arch=gfx942
  OBJECT_DIR = CMakeFiles/_G.dir
build CMakeFiles/_H.dir/h.hip.o: HIP_COMPILER___H_unscanned_Release /source/h.hip || cmake
  FLAGS = -O2 --offload-arch=gfx90a --offload-compress
  OBJECT_DIR = CMakeFiles/_H.dir
"""
# what a cuobjdump of CUDA 12.8 prints of a library
LISTED = """#!/bin/sh
cat <<END

Fatbin elf code:
================
arch = sm_90a
code version = [1,8]
host = linux
compile_size = 64bit

Fatbin ptx code:
================
arch = sm_80
code version = [9,0]
END
"""


def test_a_build_file_says_what_each_library_is_compiled_for(tmp_path):
    file = tmp_path / "build.ninja"
    file.write_text(BUILD)
    assert device_code.by_target(file) == {
        "_C": {"sm_80", "compute_80", "sm_90a"},
        # nvcc's default, which nobody asked for
        "_D": {"sm_75"},
        # of a project that the build takes in
        "_F": {"sm_80"},
        "_G": {"gfx90a", "gfx942"},
    }


def test_binaries_and_ptx_are_told_apart(tmp_path):
    program = tmp_path / "cuobjdump"
    program.write_text(LISTED)
    program.chmod(0o755)
    assert device_code.embedded(tmp_path / "library.so", program) == {"sm_90a", "compute_80"}


def bundle(*names: str) -> bytes:
    """What clang puts into a library for the GPUs named, without their code."""
    entries = b"".join(struct.pack("<QQQ", 4096, 0, len(name)) + name.encode() for name in names)
    return b"__CLANG_OFFLOAD_BUNDLE__" + struct.pack("<Q", len(names)) + entries


def test_what_clang_made_for_each_gpu_is_read_off_a_library(tmp_path):
    host, target = "host-x86_64-unknown-linux", "hipv4-amdgcn-amd-amdhsa--"
    library = tmp_path / "library.so"
    library.write_bytes(
        b"\0" * 100
        + bundle(host, f"{target}gfx90a")
        + b"\0" * 100
        + bundle(host, f"{target}gfx942:xnack-", f"{target}gfx90a")
        # the name alone, as in clang's own libraries, and at the end of a file
        + b"__CLANG_OFFLOAD_BUNDLE__ and no more, __CLANG_OFFLOAD_BUNDLE__"
    )
    assert device_code.embedded_by_clang(library) == {"gfx90a", "gfx942:xnack-"}
    library.write_bytes(b"\x7fELF")
    assert device_code.embedded_by_clang(library) == frozenset()


def test_a_library_without_device_code_is_none_that_cannot_be_read(tmp_path):
    program = tmp_path / "cuobjdump"
    program.write_text(
        "#!/bin/sh\n"
        '[ -e "$1" ] || { echo "cuobjdump fatal   : Could not open \'$1\'" >&2; exit 255; }\n'
        "echo \"cuobjdump info    : File '$1' does not contain device code\" >&2; exit 255\n"
    )
    program.chmod(0o755)
    (tmp_path / "library.so").touch()
    assert device_code.embedded(tmp_path / "library.so", program) == frozenset()
    with pytest.raises(CommandError):
        device_code.embedded(tmp_path / "absent.so", program)


@pytest.mark.parametrize(
    ("held", "architecture", "runs"),
    [
        ({"sm_90a"}, "9.0a", True),
        ({"sm_90a"}, "9.0", True),
        ({"sm_90a"}, "10.0", False),
        ({"sm_80"}, "8.9", True),
        ({"sm_89"}, "8.0", False),
        ({"sm_80"}, "9.0a", False),
        ({"sm_80", "compute_80"}, "9.0a", True),
        ({"compute_90"}, "8.9", False),
        ({"compute_90a"}, "10.0", False),
        ({"sm_100f"}, "10.0", True),
        (set(), "9.0", False),
        ({"gfx90a", "gfx942:xnack-"}, "gfx942", True),
        ({"gfx90a"}, "gfx90", False),
    ],
)
def test_what_runs_where(held, architecture, runs):
    assert device_code.runs(held, architecture) is runs


def test_code_that_nobody_by_target_and_code_that_is_missing_are_named():
    held = frozenset({"sm_80", "sm_90a"})
    device_code.check("_C", held, held, ["8.0", "9.0a"])
    with pytest.raises(UserError, match="_C: it holds device code sm_80, sm_90a, and its build"):
        device_code.check("_C", held, frozenset({"sm_90a"}), ["9.0a"])
    with pytest.raises(UserError, match="does not run on 10"):
        device_code.check("_C", held, None, ["9.0a", "10.0"])


def test_a_library_of_an_external_project_is_for_some_of_the_gpus_alone():
    expected = device_code.Expected(
        embedded=lambda library: frozenset({"sm_90a"}),
        by_library={"_C": frozenset({"sm_90a"}), "_vllm_fa3_C": frozenset({"sm_90a"})},
        architectures=("8.0", "9.0a"),
        own=frozenset({"_C"}),
    )
    suffix = "cpython-314t-x86_64-linux-gnu.so"
    attention = Path(f"vllm/vllm_flash_attn/_vllm_fa3_C.{suffix}")
    assert expected.checked(Path("/site"), attention) == {"sm_90a"}
    with pytest.raises(UserError, match=r"_C\..*: its device code \(sm_90a\) does not run on 8\.0"):
        expected.checked(Path("/site"), Path(f"vllm/_C.{suffix}"))
    everywhere = replace(expected, own=frozenset())
    with pytest.raises(UserError, match=r"fa3_C\..*does not run on 8\.0"):
        everywhere.checked(Path("/site"), attention)


def test_a_library_for_the_host_alone_is_for_every_gpu():
    device_code.check("cumem_allocator", frozenset(), None, ["9.0a"])


def test_an_environment_without_the_program_says_what_to_add(tmp_path):
    with pytest.raises(UserError, match="add nvidia-cuda-cuobjdump"):
        device_code.find_cuobjdump(tmp_path, None)
