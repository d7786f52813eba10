"""How vLLM is built, for each variant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from snakedev.machine.gpu_architectures import resolve, torch_arch_list

if TYPE_CHECKING:
    from snakedev.config.model import Config
    from snakedev.machine.probe import Machine
from snakedev.base.cpu import CPU_ISAS
from snakedev.recipes.recipe import Target

DEFAULT_ROCM = Path("/opt/rocm")


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


KERNEL_PARTS = {"cpu": ("onednn",), "cuda": tuple(CUDA_PARTS)}
"""By variant whose kernels may come from a finished wheel: the repos that are in them besides
vLLM."""


def cpu_isas(config: Config, machine: Machine) -> tuple[str, ...]:
    """The instruction sets that the cpu variant is for, `native` and `all` resolved."""
    cpu = config.variants.cpu
    assert cpu is not None
    return {"all": CPU_ISAS, "native": (machine.isa,)}.get(cpu.isa, cpu.isa)


def vllm_settings(target: Target) -> dict[str, str]:
    settings = {
        "VLLM_TARGET_DEVICE": target.variant,
        "VLLM_BUILD_RUST": "0",
        # where compiled objects are kept from build to build; .deps of the source tree is not
        "FETCHCONTENT_BASE_DIR": "${tree}/build/temp.deps",
    }
    own = {"cpu": _vllm_cpu_settings, "cuda": _vllm_cuda_settings, "rocm": _vllm_rocm_settings}
    return settings | own[target.variant](target)


def _vllm_cpu_settings(target: Target) -> dict[str, str]:
    cpu = target.config.variants.cpu
    assert cpu is not None
    if target.config.borrowed("cpu"):
        return _borrowed_settings(target, "cpu")
    settings = {
        "VLLM_VERSION_OVERRIDE": f"{target.config.repos['vllm'].version}+cpu",
        "VLLM_CPU_ISA": ";".join(cpu_isas(target.config, target.machine)),
        "VLLM_CPU_ONEDNN": "ON" if cpu.onednn else "OFF",
        "VLLM_CPU_NUMA": "ON" if cpu.numa else "OFF",
        "VLLM_CPU_TCMALLOC": "",
    }
    if cpu.onednn:
        settings["FETCHCONTENT_SOURCE_DIR_ONEDNN"] = "${SNAKEDEV_SOURCE_ONEDNN}"
    return settings


def _vllm_cuda_settings(target: Target) -> dict[str, str]:
    assert target.cuda is not None
    label = f"cu{target.cuda.major}{target.cuda.minor}"
    if target.config.borrowed("cuda"):
        return _borrowed_settings(target, label)
    without = vllm_left_out(target)
    settings = {
        "VLLM_VERSION_OVERRIDE": f"{target.config.repos['vllm'].version}+{label}",
        "TORCH_CUDA_ARCH_LIST": torch_arch_list(_cuda_architectures(target)),
        "VLLM_EXTERNAL_LEFT_OUT": ";".join(
            name for repo, (_, _, name) in CUDA_PARTS.items() if name and repo in without
        ),
    }
    for repo, (variable, folder, _) in CUDA_PARTS.items():
        if repo not in without:
            source = "${SNAKEDEV_SOURCE_" + repo.upper().replace("-", "_") + "}"
            settings[variable] = folder.replace("${}", source)
    return settings


def _borrowed_settings(target: Target, label: str) -> dict[str, str]:
    """Those of a build that takes its kernels from a finished wheel."""
    return {
        "VLLM_VERSION_OVERRIDE": f"{target.config.repos['vllm'].version}+{label}.upstream",
        "VLLM_BORROWED_KERNELS": "${SNAKEDEV_KERNELS}",
    }


def _vllm_rocm_settings(target: Target) -> dict[str, str]:
    rocm = target.config.variants.rocm
    assert rocm is not None
    architectures = resolve("rocm", rocm.architectures, target.machine.gpus)
    return {
        "VLLM_VERSION_OVERRIDE": f"{target.config.repos['vllm'].version}+rocm",
        "PYTORCH_ROCM_ARCH": torch_arch_list(architectures),
        "ROCM_PATH": str(rocm.toolkit or DEFAULT_ROCM),
        # the only one of them that a build for ROCm takes in, from a forge
        "VLLM_EXTERNAL_LEFT_OUT": "triton_kernels",
    }


def _cuda_architectures(target: Target) -> tuple[str, ...]:
    assert target.config.variants.cuda is not None
    asked = target.config.variants.cuda.architectures
    return resolve("cuda", asked, target.machine.gpus)


def vllm_left_out(target: Target) -> dict[str, str | None]:
    config = target.config
    if config.borrowed(target.variant):
        # kernels.py says of each library of the wheel whether it is taken
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
    blackwell = any(name.startswith(("10.", "11.")) for name in _cuda_architectures(target))
    if blackwell and config.origin_of("cutlass") == "release":
        # a kernel for 10.x and 11.x; see patches/vllm/0014-…
        without["CUTLASS MLA"] = "cutlass's release lacks its headers: `origin: git` builds it"
    return without
