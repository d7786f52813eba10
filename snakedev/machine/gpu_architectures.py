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

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from snakedev.base.errors import UserError
from snakedev.machine.gpu_names import (
    ALL_FEATURES,
    CUDA_ARCHITECTURES,
    CUDA_GPUS,
    ROCM_GPUS,
    cuda_meant,
    rocm_meant,
)
from snakedev.machine.probe import Gpu

Platform = Literal["cuda", "rocm"]
Architectures = Literal["native"] | tuple[str, ...]

# "Binary compatibility between desktop and Tegra is not supported" (CUDA C++ Programming Guide).
_TEGRA = {"8.7"}


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
        taken = _built_of(entry, entries)
        if taken != entry:
            raise ValueError(
                f"{entry} and {taken} are for the same GPUs, and vLLM would build {taken} alone: "
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
    return ALL_FEATURES.get(running[-1], running[-1]) if running else None


def _rocm_native(architecture: str) -> str | None:
    return architecture if architecture in ROCM_GPUS else None


_RULES: dict[Platform, _Rules] = {
    "cuda": _Rules(
        vendor="nvidia",
        probe="nvidia-smi",
        spellings=CUDA_ARCHITECTURES,
        example="9.0a",
        example_gpu="H100",
        meant=cuda_meant,
        native=_cuda_native,
    ),
    "rocm": _Rules(
        vendor="amd",
        probe="rocminfo",
        spellings=tuple(ROCM_GPUS),
        example="gfx942",
        example_gpu="MI300",
        meant=rocm_meant,
        native=_rocm_native,
    ),
}
