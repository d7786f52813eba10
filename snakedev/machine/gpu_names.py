"""The names that people give GPUs and architectures, and what they mean."""

import re
from collections.abc import Mapping

CUDA_GPUS: dict[str, tuple[str, ...]] = {
    "7.5": ("T4", "RTX 20"),
    "8.0": ("A100", "A30"),
    "8.6": (
        *("A40", "A10", "A10G", "A16", "A2"),
        *("RTX A6000", "RTX A5000", "RTX A4000", "RTX 30", "RTX 3050"),
    ),
    "8.7": ("Jetson Orin", "Jetson AGX Orin"),
    "8.9": ("L4", "L40", "L40S", "RTX 6000 Ada", "RTX 40", "RTX 4050"),
    "9.0": ("H100", "H200", "GH200"),
    # 10.3 and 12.1 run the code of 10.0 and 12.0, and vLLM has none of their own
    "10.0": ("B200", "GB200", "B300", "GB300"),
    "11.0": ("Jetson Thor", "Jetson AGX Thor", "Jetson T5000", "Jetson T4000"),
    "12.0": (
        *("RTX PRO 6000", "RTX PRO 5000", "RTX PRO 4500", "RTX PRO 4000", "RTX PRO 2000"),
        *("RTX 50", "RTX 5050", "GB10"),
    ),
}
"""Usual GPUs of vLLM's architectures for CUDA 13 (names: developer.nvidia.com/cuda-gpus). `RTX 40`
stands for 4060 to 4090; a 2050 is no 7.5."""

CUDA_ARCHITECTURES = (
    *("7.5", "8.0", "8.6", "8.7", "8.9", "9.0", "9.0a"),
    *("10.0", "10.0a", "10.0f", "11.0", "11.0a", "11.0f", "12.0", "12.0a", "12.0f"),
)
"""Every spelling, in canonical order."""

ROCM_GPUS: dict[str, tuple[str, ...]] = {
    "gfx906": ("MI50", "MI60", "Radeon VII"),
    "gfx908": ("MI100",),
    "gfx90a": ("MI200", "MI210", "MI250", "MI250X"),
    "gfx942": ("MI300", "MI300A", "MI300X", "MI325X"),
    "gfx950": ("MI350", "MI350X", "MI355X"),
    "gfx1030": ("RX 6800", "RX 6900", "RX 6950"),
    "gfx1100": ("RX 7900",),
    "gfx1101": ("RX 7700", "RX 7800"),
    "gfx1102": ("RX 7600",),
    "gfx1103": ("Radeon 780M", "Radeon 760M", "Radeon 740M"),
    "gfx1150": ("Radeon 890M", "Radeon 880M"),
    "gfx1151": ("Radeon 8060S", "Radeon 8050S", "Radeon 8040S"),
    "gfx1152": ("Radeon 860M", "Radeon 840M"),
    "gfx1153": ("Radeon 820M",),
    "gfx1200": ("RX 9060",),
    "gfx1201": ("RX 9070",),
}
"""Usual GPUs of HIP_SUPPORTED_ARCHS in vLLM's CMakeLists.txt (names: LLVM's AMDGPUUsage and ROCm's
table of GPU specifications), in canonical order."""

# The form that lets every kernel use all of a GPU. vLLM's kernels for Hopper (Machete, CUTLASS 3,
# FlashMLA, FlashAttention 3) need wgmma and setmaxnreg, which sm_90a has and sm_90 has not (PTX
# ISA), so that vLLM builds them as 9.0a anyway; and there is no other 9.x to run code for 9.0.
ALL_FEATURES = {"9.0": "9.0a"}

# What vLLM builds for these capabilities with CUDA 13, where 10.1 (Jetson Thor) is called 11.0.
_BUILT_AS = {"10.1": "11.0", "10.3": "10.0", "12.1": "12.0"}


def cuda_meant(text: str) -> str | None:
    """The architecture that a spelling stands for: `sm_90a`, `90`, `8.0+PTX`, `10.3`, `h100`."""
    if text in CUDA_ARCHITECTURES:
        return text
    plain = re.sub(r"\+ptx$|-(real|virtual)$", "", text.strip().lower())
    parts = re.fullmatch(r"(?:sm_?|compute_?)?(\d+)(?:\.(\d))?([af]?)", plain)
    if parts is None:
        base = _base_of_gpu(text, CUDA_GPUS)
        return ALL_FEATURES.get(base, base) if base else None
    number, minor, form = parts.groups()
    bases = [f"{number}.{minor}"] if minor else [f"{number[:-1]}.{number[-1]}", f"{number}.0"]
    spellings = [
        spelling
        for base in bases
        for spelling in ([_BUILT_AS[base]] if base in _BUILT_AS else [f"{base}{form}", base])
    ]
    return next((spelling for spelling in spellings if spelling in CUDA_ARCHITECTURES), None)


def rocm_meant(text: str) -> str | None:
    """The architecture that a spelling stands for: `GFX90A`, `gfx90a:xnack-`, `942`, `MI300X`."""
    plain = text.strip().lower().partition(":")[0]
    for spelling in (plain, f"gfx{plain}"):
        if spelling in ROCM_GPUS:
            return spelling
    return _base_of_gpu(text, ROCM_GPUS)


def _base_of_gpu(text: str, gpus: Mapping[str, tuple[str, ...]]) -> str | None:
    """The architecture of the one GPU whose usual name is said, among whatever other words."""
    said = re.sub(r"[-_\s]+", " ", text.lower())

    def is_said(name: str) -> bool:
        words = name.lower().removeprefix("radeon ").replace(" ", " ?")
        model = "[6-9]0" if re.fullmatch(r"RTX \d0", name) else ""
        return re.search(rf"(?<!\w){words}{model}(?!\w)", said) is not None

    found = [base for base, names in gpus.items() if any(map(is_said, names))]
    return found[0] if len(found) == 1 else None
