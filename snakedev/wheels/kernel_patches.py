"""Patches beside borrowed kernels: one that changes what those were compiled from is refused.

A patch takes no effect on kernels that are not compiled, and nothing would say so. What touches a
file behind them is therefore refused, unless its message says why the kernels stay the same:
`Kernels-unchanged: why`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from snakedev.config.model import Config
from snakedev.recipes.vllm import KERNEL_PARTS
from snakedev.sources import patch_file

MARK = "Kernels-unchanged"
"""The line of a patch's message that says why the kernels stay the same."""
_UNCHANGED = re.compile(rf"^{MARK}: *\S", re.MULTILINE)
# What of vLLM's tree decides what its libraries hold: the kernels and headers, the scripts that
# generate some of them, and what is compiled into which library, and how.
_BEHIND = ("CMakeLists.txt", "cmake/", "csrc/")
_COMPILED_HERE = (
    "csrc/cumem_allocator.cpp",
    "csrc/cumem_allocator_compat.h",
    "csrc/fs_io.cpp",
    "csrc/spinloop.cpp",
)
_OF_OTHER_DEVICES = {
    "cuda": ("csrc/cpu/", "csrc/rocm/", "cmake/cpu_extension.cmake", "cmake/hipify.py"),
    "cpu": ("csrc/libtorch_stable/", "csrc/rocm/", "cmake/external_projects/", "cmake/hipify.py"),
}


def behind(config: Config) -> list[tuple[str, str]]:
    """Each variant with borrowed kernels, with each repo that they are compiled from."""
    return [
        (variant, name)
        for variant, parts in KERNEL_PARTS.items()
        if config.borrowed(variant)
        for name in ("vllm", *parts)
        if name in config.repos and config.has_pin(name)
    ]


def problems(variant: str, repo: str, series: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    """A line for each patch, given with its path, that borrowed kernels would silently lack."""
    for path, data in series:
        if not _may_change_kernels(repo, data):
            continue
        patch = patch_file.read(Path(path), data)
        changed = behind_kernels(variant, repo, patch.files)
        if changed and not _UNCHANGED.search(patch.message):
            yield (
                f"{path}: it changes {', '.join(changed)}, which variants.{variant}.kernels: "
                f"upstream does not compile: set that to source, or, if the kernels stay the "
                f"same, say why in the patch's message: `{MARK}: …`"
            )


def edit_problems(variant: str, repo: str, folder: str, edited: Sequence[str]) -> Iterator[str]:
    """The line for edits of a work folder, not committed, that borrowed kernels would lack."""
    if changed := behind_kernels(variant, repo, edited):
        yield (
            f"{folder}: {', '.join(changed)}: edited, and variants.{variant}.kernels: upstream "
            f"does not compile it: set that to source, or undo the edit"
        )


def behind_kernels(variant: str, repo: str, files: Iterable[str]) -> list[str]:
    """Those of a repo's files that decide what is in a variant's kernels."""
    left_alone = _COMPILED_HERE + _OF_OTHER_DEVICES[variant]
    return [
        file
        for file in files
        if repo != "vllm" or (file.startswith(_BEHIND) and not file.startswith(left_alone))
    ]


def _may_change_kernels(repo: str, data: bytes) -> bool:
    """Whether git has to be asked what a patch changes; it takes its time."""
    diff = patch_file.body(data)
    return repo != "vllm" or any(path.encode() in diff for path in _BEHIND)
