"""GPU architectures: which there are, how a list of them is checked, and what runs where.

CUDA's are spelled as in TORCH_CUDA_ARCH_LIST (`9.0a`), ROCm's as clang spells them (`gfx942`).

What happens to a CUDA list (vLLM 0.26.0, torch 2.11, nvcc 13.0): torch's CMake
(select_compute_arch.cmake) turns it into -gencode flags. vLLM's CMakeLists.txt takes these back,
keeps for each the highest of its CUDA_SUPPORTED_ARCHS (for CUDA 13: 7.5 to 12.0) that is no higher
and of the same major version, and compiles each file for what `cuda_archs_loose_intersection`
(cmake/utils.cmake) finds in common with that file's own list. So it is that

- an architecture that vLLM does not know is dropped or replaced without a word: 7.0 leaves
  nothing, and nvcc's default of 7.5; 10.3, 10.3a and 10.3f become 10.0; 12.1 becomes 12.0;
- `+PTX` is dropped: the kernels that keep PTX say so themselves;
- a kernel for 9.0a or 10.0f is built for 9.0 or 10.0, too, and then as 9.0a or 10.0f; a list's own
  `a` or `f` is what the other kernels are built with;
- of 9.0 and 9.0a, or 10.0 and 10.0f, in one list only the one with the letter is built.

nvcc 13.0 (`ptxas --help`) has an `a` form from 9.0 on, whose code runs on that architecture alone,
and an `f` form from 10.0 on, for its family. torch.utils.cpp_extension, which packages without
CMake use, knows no `f` form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from snakedev.base.errors import UserError

if TYPE_CHECKING:
    from snakedev.machine.probe import Gpu

Platform = Literal["cuda", "rocm"]
Architectures = Literal["native"] | tuple[str, ...]

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
_ALL_FEATURES = {"9.0": "9.0a"}

# What vLLM builds for these capabilities with CUDA 13, where 10.1 (Jetson Thor) is called 11.0.
_BUILT_AS = {"10.1": "11.0", "10.3": "10.0", "12.1": "12.0"}

# "Binary compatibility between desktop and Tegra is not supported" (CUDA C++ Programming Guide).
_TEGRA = {"8.7"}


def checked(platform: Platform, value: object) -> Architectures:
    """What stands under `architectures`, as `native` or a tuple in canonical spelling and order.

    A number that YAML made of an unquoted architecture, such as 9.0, is taken for it. Raises
    ValueError, with one line that says what to write, for anything else: another spelling, a GPU's
    name, an architecture that vLLM has no kernels for, doubles, no list.
    """
    rules = _RULES[platform]
    if value == "native":
        return "native"
    entries = _entries(value, rules)
    if "native" in entries:
        raise ValueError("native stands alone: write native, without a list around it")
    unknown = [entry for entry in entries if rules.meant(entry) is None]
    if unknown:
        are = "is no architecture" if len(unknown) == 1 else "are no architectures"
        raise ValueError(f"{_together(unknown)} {are} that vLLM's kernels are built for: {rules}")
    right = _in_order((rules.meant(entry) for entry in entries), rules)
    others = [entry for entry in entries if entry not in rules.spellings]
    if others or not isinstance(value, list | tuple):
        why = "; ".join(f"{entry} is {rules.meant(entry)} here" for entry in dict.fromkeys(others))
        built = [entry for entry in right if _built_of(entry, right) == entry]
        raise ValueError(f"write {json.dumps(built)}{': ' if why else ''}{why}")
    for entry in entries:
        built = _built_of(entry, entries)
        if built != entry:
            raise ValueError(
                f"{entry} and {built} are for the same GPUs, and vLLM would build {built} alone: "
                f"keep one"
            )
    if len(right) < len(entries):
        twice = next(entry for entry in entries if entries.count(entry) > 1)
        raise ValueError(f"{twice} stands there more than once: keep one")
    return tuple(right)


def resolve(platform: Platform, asked: Architectures, gpus: Sequence[Gpu]) -> tuple[str, ...]:
    """The architectures to build: those asked for, or for `native` those of the GPUs that are
    there; one that vLLM has no kernels for is passed over while there is another.

    Raises UserError where `native` finds no GPU, or none that vLLM has kernels for.
    """
    if asked != "native":
        return asked
    rules, key = _RULES[platform], f"config.yaml: variants.{platform}.architectures"
    there = [gpu for gpu in gpus if gpu.vendor == rules.vendor]
    if not there:
        raise UserError(
            f"{key}: native takes this machine's GPUs, and {rules.probe} shows none: name "
            f'architectures instead, such as ["{rules.example}"] for {rules.example_gpu}'
        )
    found = {rules.native(gpu.architecture) for gpu in there} - {None}
    if not found:
        names = _together(dict.fromkeys(f"{gpu.name} ({gpu.architecture})" for gpu in there))
        raise UserError(f"{key}: native finds {names}, and vLLM's kernels are built for: {rules}")
    return tuple(_in_order(found, rules))


def runs_on(architectures: Iterable[str], capability: str) -> bool:
    """Whether code for these architectures runs on a GPU, given its compute capability (`8.9`) or,
    for ROCm, its own architecture (`gfx942`).

    CUDA's binaries run on a GPU of the same major version and the same or a higher minor one; an
    `a` form and Tegra's on their own alone. PTX, which would run on newer GPUs, does not count:
    few of vLLM's kernels have any.
    """
    if capability.startswith("gfx"):
        return capability in architectures
    return any(_cuda_runs_on(architecture, capability) for architecture in architectures)


def torch_arch_list(architectures: Iterable[str]) -> str:
    """The value of TORCH_CUDA_ARCH_LIST or PYTORCH_ROCM_ARCH. Semicolons, as vLLM's CMake takes
    the latter for a CMake list."""
    return ";".join(architectures)


def _entries(value: object, rules: _Rules) -> list[str]:
    """The list's entries as text; a text or number without a list counts as one that lacks its
    brackets."""
    if isinstance(value, str):
        words = [word for word in re.split(r"[;,\s]+", value) if word]
        if rules.meant(value) is None and all(map(rules.meant, words)):
            value = words
    entries = list(value) if isinstance(value, list | tuple) else [value]
    if not entries or any(
        isinstance(entry, bool) or not isinstance(entry, str | int | float) for entry in entries
    ):
        raise ValueError(f'not native, or a list of architectures such as ["{rules.example}"]')
    return [str(entry) for entry in entries]


def _built_of(entry: str, entries: Iterable[str]) -> str:
    """Which of a list's forms of an architecture vLLM builds: `a`, else `f`, else plain."""
    forms = [other for other in entries if _base(other) == _base(entry)]
    return max(forms, key=lambda form: "fa".find(form[-1]))


def _base(architecture: str) -> str:
    """A CUDA architecture without its letter; ROCm's are what they are."""
    return architecture.rstrip("af") if "." in architecture else architecture


def _in_order(architectures: Iterable[str | None], rules: _Rules) -> list[str]:
    given = set(architectures)
    return [spelling for spelling in rules.spellings if spelling in given]


def _together(texts: Iterable[str]) -> str:
    *most, last = texts
    return f"{', '.join(most)} and {last}" if most else last


def _cuda_runs_on(architecture: str, capability: str) -> bool:
    base = _base(architecture)
    if architecture.endswith("a") or _TEGRA & {base, capability}:
        return base == capability
    major, _, minor = base.partition(".")
    its_major, _, its_minor = capability.partition(".")
    return major == its_major and int(minor) <= int(its_minor)


def _cuda_native(capability: str) -> str | None:
    """The best architecture for a compute capability; None if vLLM has no kernels for it."""
    running = [base for base in CUDA_GPUS if _cuda_runs_on(base, capability)]
    return _ALL_FEATURES.get(running[-1], running[-1]) if running else None


def _rocm_native(architecture: str) -> str | None:
    return architecture if architecture in ROCM_GPUS else None


def _cuda_meant(text: str) -> str | None:
    """The architecture that a spelling stands for: `sm_90a`, `90`, `8.0+PTX`, `10.3`, `h100`."""
    if text in CUDA_ARCHITECTURES:
        return text
    plain = re.sub(r"\+ptx$|-(real|virtual)$", "", text.strip().lower())
    parts = re.fullmatch(r"(?:sm_?|compute_?)?(\d+)(?:\.(\d))?([af]?)", plain)
    if parts is None:
        base = _base_of_gpu(text, CUDA_GPUS)
        return _ALL_FEATURES.get(base, base) if base else None
    number, minor, form = parts.groups()
    bases = [f"{number}.{minor}"] if minor else [f"{number[:-1]}.{number[-1]}", f"{number}.0"]
    spellings = [
        spelling
        for base in bases
        for spelling in ([_BUILT_AS[base]] if base in _BUILT_AS else [f"{base}{form}", base])
    ]
    return next((spelling for spelling in spellings if spelling in CUDA_ARCHITECTURES), None)


def _rocm_meant(text: str) -> str | None:
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


@dataclass(frozen=True)
class _Rules:
    """What differs between CUDA and ROCm; as text, what may be written."""

    vendor: str
    probe: str
    spellings: tuple[str, ...]
    example: str
    example_gpu: str
    meant: Callable[[str], str | None]
    native: Callable[[str], str | None]

    def __str__(self) -> str:
        known = ", ".join(self.spellings)
        return f"one of {known}, such as {self.example} for {self.example_gpu}"


_RULES: dict[Platform, _Rules] = {
    "cuda": _Rules(
        vendor="nvidia",
        probe="nvidia-smi",
        spellings=CUDA_ARCHITECTURES,
        example="9.0a",
        example_gpu="H100",
        meant=_cuda_meant,
        native=_cuda_native,
    ),
    "rocm": _Rules(
        vendor="amd",
        probe="rocminfo",
        spellings=tuple(ROCM_GPUS),
        example="gfx942",
        example_gpu="MI300",
        meant=_rocm_meant,
        native=_rocm_native,
    ),
}
