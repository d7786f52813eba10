"""How vLLM is built, for each variant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from snakedev.config.external import repo_of
from snakedev.machine.compilers import Gxx
from snakedev.machine.gpu_architectures import torch_arch_list
from snakedev.recipes.recipe import KernelLayout, Recipe, Target, source_of

if TYPE_CHECKING:
    from snakedev.config.source_facts import ExternalProject

_NO_RELEASE = "it has no release: `origin: git` builds it"
# their host code uses C++20's <format>
_NEED_GCC_13 = frozenset({"deepgemm", "deepselect"})
_COMPILED_HERE = (
    "csrc/cumem_allocator.cpp",
    "csrc/cumem_allocator_compat.h",
    "csrc/fs_io.cpp",
    "csrc/spinloop.cpp",
)
KERNELS = KernelLayout(
    in_cpus=("onednn",),
    # the kernels and headers, the scripts that generate some of them, and what is compiled into
    # which library, and how
    sources=("CMakeLists.txt", "cmake/", "csrc/"),
    other_sources={
        "cuda": (
            *_COMPILED_HERE,
            *("csrc/cpu/", "csrc/rocm/", "cmake/cpu_extension.cmake", "cmake/hipify.py"),
        ),
        "cpu": (
            *_COMPILED_HERE,
            # what compilers for GPUs alone compile
            *(".cu", ".cuh"),
            *("csrc/rocm/", "cmake/external_projects/", "cmake/hipify.py"),
        ),
    },
    compiled_here=("vllm/cumem_allocator", "vllm/fs_io_C", "vllm/spinloop"),
    # vLLM loads the best that runs
    by_instruction_set={"amx": "_C", "avx512": "_C_AVX512", "avx2": "_C_AVX2"},
    # to bind memory to NUMA nodes
    libraries={"cpu": ("libnuma",)},
)


def settings(target: Target) -> dict[str, str]:
    """Variables of a build for a variant."""
    shared = {
        "VLLM_VERSION_OVERRIDE": target.version,
        "VLLM_TARGET_DEVICE": target.variant,
        "VLLM_BUILD_RUST": "0",
        # where compiled objects are kept from build to build; .deps of the source tree is not
        "FETCHCONTENT_BASE_DIR": "${tree}/build/temp.deps",
    }
    if target.config.interpreter.sanitizer is None:
        # vLLM's default has debug information, which is 0.4 of the compilers' time; reports of
        # races need its lines
        shared["CMAKE_BUILD_TYPE"] = "Release"
    if target.borrows_kernels:
        return shared | {"VLLM_BORROWED_KERNELS": "${SNAKEDEV_KERNELS}"}
    own = {"cpu": _for_cpus, "cuda": _for_cuda, "rocm": _for_rocm}
    return shared | own[target.variant](target)


def _for_cpus(target: Target) -> dict[str, str]:
    cpu = target.config.variants.cpu
    assert cpu is not None
    settings = {
        "VLLM_CPU_ISA": ";".join(target.architectures),
        "VLLM_CPU_ONEDNN": "ON" if cpu.onednn else "OFF",
        "VLLM_CPU_NUMA": "ON" if cpu.numa else "OFF",
        "VLLM_CPU_TCMALLOC": "",
    }
    if cpu.onednn:
        settings["FETCHCONTENT_SOURCE_DIR_ONEDNN"] = source_of("onednn")
        # its one file in assembly does not say that the stack need not be executable
        settings["ASMFLAGS"] = "-Wa,--noexecstack"
    return settings


def _for_cuda(target: Target) -> dict[str, str]:
    without = left_out(target)
    projects = _external_projects(target)
    settings = {
        "TORCH_CUDA_ARCH_LIST": torch_arch_list(target.architectures),
        "VLLM_EXTERNAL_LEFT_OUT": ";".join(n for n in projects if repo_of(n) in without),
    }
    if "cutlass" not in without:
        settings["VLLM_CUTLASS_SRC_DIR"] = source_of("cutlass")
    for name, project in projects.items():
        if repo_of(name) not in without:
            inside = "" if project.folder == "." else f"/{project.folder}"
            settings[project.variable] = source_of(repo_of(name)) + inside
    return settings


def _for_rocm(target: Target) -> dict[str, str]:
    return {
        "PYTORCH_ROCM_ARCH": torch_arch_list(target.architectures),
        "ROCM_PATH": str(target.toolkit),
        # what of them a build for ROCm takes in comes from a forge, and from others than CUDA's
        "VLLM_EXTERNAL_LEFT_OUT": ";".join(_external_projects(target)),
    }


def _external_projects(target: Target) -> Mapping[str, ExternalProject]:
    """What a build for GPUs takes in of other projects, and can do without: by the name that vLLM
    has for it."""
    return target.facts.external_projects if target.facts else {}


def left_out(target: Target) -> dict[str, str | None]:
    """Repos that a variant's build does without: reasons, and None where it has no use for one."""
    config = target.config
    needs = config.repos[target.repo].build_needs
    for_gpus = KERNELS.parts("cuda", needs)
    if target.borrows_kernels:
        # snakedev/wheels/upstream_kernels.py says of each library of the wheel whether it is taken
        return dict.fromkeys(needs)
    if target.variant == "cpu":
        cpu = config.variants.cpu
        without: dict[str, str | None] = dict.fromkeys(for_gpus)
        return without if cpu and cpu.onednn else without | {"onednn": "variants.cpu.onednn is off"}
    if target.variant == "rocm":
        return dict.fromkeys(needs)
    without = {"onednn": None} | {
        repo: _NO_RELEASE
        for repo in ("cutlass", *map(repo_of, _external_projects(target)), *for_gpus)
        if repo not in config.repos or not config.has_pin(repo)
    }
    blackwell = any(name.startswith(("10.", "11.")) for name in target.architectures)
    if blackwell and "cutlass" in config.repos and config.origin_of("cutlass") == "release":
        # a kernel for 10.x and 11.x; see patches/vllm/0011-…
        without["CUTLASS MLA"] = "cutlass's release lacks its headers: `origin: git` builds it"
    return without


def gxx(target: Target) -> Gxx:
    """What CMakeLists.txt and cmake/cpu_extension.cmake ask for (the latter by patch 0001)."""
    if target.variant == "cpu" and not target.borrows_kernels:
        return Gxx("12.2", alone=True)
    needs = target.config.repos[target.repo].build_needs
    built = _NEED_GCC_13.intersection(needs).difference(left_out(target))
    compiles_them = target.variant == "cuda" and built
    return Gxx("13" if compiles_them else "11.3", alone=False)


RECIPE = Recipe(
    number=2,
    environment="build-{variant}",
    gxx=gxx,
    per_variant=True,
    facts=True,
    told_of=("onednn", "cutlass"),
    heavy=True,
    settings=settings,
    left_out=left_out,
)
