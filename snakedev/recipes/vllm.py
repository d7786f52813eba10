"""How vLLM is built, for each variant."""

from __future__ import annotations

from snakedev.machine.compilers import Gxx
from snakedev.machine.gpu_architectures import torch_arch_list
from snakedev.recipes.recipe import KernelLayout, Recipe, Target, source_of

CUDA_PARTS = {
    "cutlass": ("VLLM_CUTLASS_SRC_DIR", "${}", None),
    # its folder is the Python package inside triton's repository
    "triton-kernels": (
        "TRITON_KERNELS_SRC_DIR",
        "${}/python/triton_kernels/triton_kernels",
        "triton_kernels",
    ),
    "deepgemm": ("DEEPGEMM_SRC_DIR", "${}", "deepgemm"),
    "fmha-sm100": ("FMHA_SM100_SRC_DIR", "${}", "fmha_sm100"),
    "flashmla": ("FLASH_MLA_SRC_DIR", "${}", "flashmla"),
    "qutlass": ("QUTLASS_SRC_DIR", "${}", "qutlass"),
    "tml-fa4": ("TML_FA4_SRC_DIR", "${}", "tml_fa4"),
    "flash-attention": ("VLLM_FLASH_ATTN_SRC_DIR", "${}", "vllm_flash_attn"),
}
"""What vLLM's CUDA build takes in from other repos: by the repo, the variable that names its folder
(${} stands for that), and the name under which vLLM builds without it (CUTLASS it always needs)."""


_COMPILED_HERE = (
    "csrc/cumem_allocator.cpp",
    "csrc/cumem_allocator_compat.h",
    "csrc/fs_io.cpp",
    "csrc/spinloop.cpp",
)
KERNELS = KernelLayout(
    parts={"cpu": ("onednn",), "cuda": tuple(CUDA_PARTS)},
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
            *("csrc/libtorch_stable/", "csrc/rocm/", "cmake/external_projects/"),
            "cmake/hipify.py",
        ),
    },
    compiled_here=("vllm/cumem_allocator", "vllm/fs_io_C", "vllm/spinloop"),
    for_each_gpu=("_C_stable_libtorch", "_moe_C_stable_libtorch"),
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
    return settings


def _for_cuda(target: Target) -> dict[str, str]:
    without = left_out(target)
    settings = {
        "TORCH_CUDA_ARCH_LIST": torch_arch_list(target.architectures),
        "VLLM_EXTERNAL_LEFT_OUT": ";".join(
            name for repo, (_, _, name) in CUDA_PARTS.items() if name and repo in without
        ),
    }
    for repo, (variable, folder, _) in CUDA_PARTS.items():
        if repo not in without:
            settings[variable] = folder.replace("${}", source_of(repo))
    return settings


def _for_rocm(target: Target) -> dict[str, str]:
    return {
        "PYTORCH_ROCM_ARCH": torch_arch_list(target.architectures),
        "ROCM_PATH": str(target.toolkit),
        # the only one of them that a build for ROCm takes in, from a forge
        "VLLM_EXTERNAL_LEFT_OUT": "triton_kernels",
    }


def left_out(target: Target) -> dict[str, str | None]:
    """Repos that a variant's build does without: reasons, and None where it has no use for one."""
    config = target.config
    if target.borrows_kernels:
        # snakedev/wheels/upstream_kernels.py says of each library of the wheel whether it is taken
        return dict.fromkeys(["onednn", *CUDA_PARTS])
    if target.variant == "cpu":
        cpu = config.variants.cpu
        without: dict[str, str | None] = dict.fromkeys(CUDA_PARTS)
        return without if cpu and cpu.onednn else without | {"onednn": "variants.cpu.onednn is off"}
    if target.variant == "rocm":
        return dict.fromkeys(["onednn", *CUDA_PARTS])
    without = {"onednn": None} | {
        repo: "it has no release: `origin: git` builds it"
        for repo in CUDA_PARTS
        if repo not in config.repos or not config.has_pin(repo)
    }
    blackwell = any(name.startswith(("10.", "11.")) for name in target.architectures)
    if blackwell and config.origin_of("cutlass") == "release":
        # a kernel for 10.x and 11.x; see patches/vllm/0014-…
        without["CUTLASS MLA"] = "cutlass's release lacks its headers: `origin: git` builds it"
    return without


def gxx(target: Target) -> Gxx:
    """What CMakeLists.txt and cmake/cpu_extension.cmake ask for (the latter by patch 0001)."""
    compiles_for_cpus = target.variant == "cpu" and not target.borrows_kernels
    return Gxx("12.2", alone=True) if compiles_for_cpus else Gxx("11.3", alone=False)


RECIPE = Recipe(
    number=2,
    environment="build-{variant}",
    gxx=gxx,
    per_variant=True,
    facts=True,
    heavy=True,
    settings=settings,
    left_out=left_out,
)
