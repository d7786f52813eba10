"""What a GPU machine's own Python lends: libraries that need not be carried to it.

A list of its packages (`python3 -m pip list --format=freeze`) says what it has. A CUDA library of
NVIDIA's serves where its first two numbers are those of the lock: cuBLAS 13.1.0 for 13.1.1, cuDNN
9.19 not for 9.24, which PyTorch itself refuses. Of torch and triton the very version lends what
does not depend on Python.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

from snakedev.base.errors import UserError
from tools.gpu.chunks import named

_WITHOUT_PYTHON = {
    "torch": (
        "torch/bin",
        "torch/include",
        "torch/lib/libc10.so",
        "torch/lib/libc10_cuda.so",
        "torch/lib/libcaffe2_nvrtc.so",
        "torch/lib/libtorch_cpu.so",
        "torch/lib/libtorch_cuda.so",
        "torch/lib/libtorch_cuda_linalg.so",
        "torch/lib/libtorch_nvshmem.so",
        "torch/share",
    ),
    "triton": ("triton/backends",),
}


def read(file: Path) -> dict[str, Version]:
    """The versions in a list of packages; raises UserError where a line is no such thing."""
    found = {}
    for line in file.read_text(encoding="utf-8").split():
        name, _, version = line.partition("==")
        try:
            found[canonicalize_name(name)] = Version(version)
        except ValueError:
            raise UserError(
                f"{file}: {line!r} is not NAME==VERSION: write it by "
                f"`python3 -m pip list --format=freeze` on the GPU machine"
            ) from None
    return found


@dataclass(frozen=True)
class Lent:
    """What a machine lends: its packages' versions there, and paths of files in them."""

    versions: Mapping[str, str]
    paths: frozenset[str]


def lent(packages: Path, machine: Mapping[str, Version]) -> Lent:
    """What a machine lends of an environment's packages."""
    versions, paths = {}, set[str]()
    for distribution in distributions(path=[str(packages)]):
        name = canonicalize_name(distribution.name)
        if name in machine and (files := _serving(distribution, machine[name])):
            versions[name] = str(machine[name])
            paths.update(files)
    return Lent(versions, frozenset(paths))


def _serving(distribution: Distribution, there: Version) -> list[str]:
    name, here = canonicalize_name(distribution.name), Version(distribution.version)
    paths = [file.as_posix() for file in distribution.files or ()]
    if name in _WITHOUT_PYTHON:
        # a label such as +cu130 names an index and no other build
        same = here.public == there.public
        return [path for path in paths if same and named(path, _WITHOUT_PYTHON[name])]
    same = here.release[:2] == there.release[:2]
    return [path for path in paths if same and path.startswith("nvidia/") and ".so" in path]
