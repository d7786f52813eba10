"""Making a CUDA toolkit out of the wheels that carry one.

NVIDIA's wheels unpack a toolkit into site-packages/nvidia/cuNN, but with versioned libraries only,
without the folder names that CMake's FindCUDAToolkit looks for, and without the driver library
that programs for a GPU are linked against.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from packaging.version import Version

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.environments.locks import Pin
from snakedev.machine import driver_stub
from snakedev.machine.compilers import find_compiler


def toolkit_version(folder: Path | None, pins: Mapping[str, Pin], lock: Path) -> Version:
    """The CUDA version, as 13.0, that a torch of a lock was built with and a toolkit has.

    ``folder`` is the toolkit's, None for the one in the lock, whose packages are ``pins``. Raises
    UserError when the two differ, or the folder is no toolkit.
    """
    torch = _release(pins["nvidia-cuda-runtime"].version)
    if folder is None:
        where, version = f"{lock}: nvidia-cuda-nvcc", _release(pins["nvidia-cuda-nvcc"].version)
        remedy = f"change {lock.with_suffix('.in').name} and run `snakemake locks`"
    else:
        where, version = f"variants.cuda.toolkit: {folder}", _version_of(folder)
        remedy = "name one of that version, or null for the one from package registries"
    if version != torch:
        raise UserError(
            f"{where} is CUDA {version}, and torch {pins['torch'].version} is built with CUDA "
            f"{torch}: {remedy}"
        )
    return torch


def _release(version: Version) -> Version:
    return Version(f"{version.major}.{version.minor}")


def _version_of(folder: Path) -> Version:
    """A toolkit's version, as its header says it: running its nvcc would take longer."""
    header = folder / "include" / "cuda.h"
    text = header.read_text(encoding="utf-8", errors="replace") if header.is_file() else ""
    found = re.search(r"^#define CUDA_VERSION (\d+)$", text, re.MULTILINE)
    if found is None or not os.access(folder / "bin" / "nvcc", os.X_OK):
        raise UserError(
            f"variants.cuda.toolkit: {folder} is no CUDA toolkit (bin/nvcc and include/cuda.h are "
            f"not both there): name one's folder, or null for the one from package registries"
        )
    return Version(f"{int(found[1]) // 1000}.{int(found[1]) % 1000 // 10}")


def complete(site_packages: Path, running: Job) -> Path | None:
    """Add what a compiler expects; returns the toolkit's root, None where there is no nvcc.

    Links and new files are added only: what is there may be hard links into a package cache.
    A build finds the toolkit through the variable CUDA_PATH.
    """
    roots = sorted(path.parent.parent for path in site_packages.glob("nvidia/cu*/bin/nvcc"))
    if not roots:
        return None
    root = roots[-1]
    libraries = root / "lib"
    for library in sorted(libraries.glob("lib*.so.*")):
        plain = library.with_name(library.name.split(".so.")[0] + ".so")
        if not plain.exists():
            plain.symlink_to(library.name)
    if not (root / "lib64").exists():
        (root / "lib64").symlink_to("lib")
    _add_driver_stub(root, running)
    return root


def _add_driver_stub(root: Path, running: Job) -> None:
    """Add a libcuda.so to link against, with all that the toolkit's header declares.

    Without a C compiler there is none, and nothing to link either.
    """
    stub, header = root / "lib" / "stubs" / "libcuda.so", root / "include" / "cuda.h"
    if stub.exists() or not header.is_file():
        return
    try:
        if compiler := find_compiler("cc"):
            stub.parent.mkdir(exist_ok=True)
            driver_stub.write(driver_stub.functions_of(header), stub, compiler, running)
    except (CommandError, UserError):
        running.note("no stub of libcuda.so could be made: linking for a GPU will fail")
