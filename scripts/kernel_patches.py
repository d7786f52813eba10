"""Patches beside borrowed kernels: one that changes what those were compiled from is refused.

A patch takes no effect on kernels that are not compiled, and nothing would say so. What touches a
file behind them is therefore refused, unless its message says why the kernels stay the same:
`Kernels-unchanged: why`.
"""

import re
from collections.abc import Iterable, Iterator

from scripts import patches
from scripts.config import Config
from scripts.recipes import CUDA_PARTS

MARK = "Kernels-unchanged"
"""The line of a patch's message that says why the kernels stay the same."""
# What of vLLM's tree decides what its libraries hold: the kernels and headers, the scripts that
# generate some of them, and what is compiled into which library, and how.
_BEHIND = ("CMakeLists.txt", "cmake/", "csrc/")
_NOT_BEHIND = (
    # compiled here all the same
    "csrc/cumem_allocator.cpp",
    "csrc/cumem_allocator_compat.h",
    "csrc/fs_io.cpp",
    "csrc/spinloop.cpp",
    # for other devices only
    "csrc/cpu/",
    "csrc/rocm/",
    "cmake/cpu_extension.cmake",
    "cmake/hipify.py",
)


def repos_behind(config: Config) -> list[str]:
    """The repos that borrowed kernels are compiled from; none where they are compiled here."""
    if not config.borrowed("cuda"):
        return []
    return [name for name in ("vllm", *CUDA_PARTS) if name in config.repos and config.has_pin(name)]


def problems(repo: str, series: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    """A line for each patch, given with its path, that borrowed kernels would silently lack."""
    for path, data in series:
        behind = behind_kernels(repo, patches.files(data))
        if behind and not _says_unchanged(data):
            yield (
                f"{path}: it changes {', '.join(behind)}, which variants.cuda.kernels: upstream "
                f"does not compile: set that to source, or, if the kernels stay the same, say why "
                f"in the patch's message: `{MARK}: …`"
            )


def edit_problems(repo: str, folder: str, edited: Iterable[str]) -> Iterator[str]:
    """The line for edits of a work folder, not committed, that borrowed kernels would lack."""
    if behind := behind_kernels(repo, edited):
        yield (
            f"{folder}: {', '.join(behind)}: edited, and variants.cuda.kernels: upstream does not "
            f"compile it: set that to source, or undo the edit"
        )


def behind_kernels(repo: str, files: Iterable[str]) -> list[str]:
    """Those of a repo's files that decide what is in the kernels."""
    return [
        file
        for file in files
        if repo != "vllm" or (file.startswith(_BEHIND) and not file.startswith(_NOT_BEHIND))
    ]


def _says_unchanged(data: bytes) -> bool:
    message = data.partition(b"\n---\n")[0]
    return re.search(rf"^{MARK}: *\S".encode(), message, re.MULTILINE) is not None
