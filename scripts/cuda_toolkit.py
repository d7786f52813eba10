"""Making a CUDA toolkit out of the wheels that carry one.

NVIDIA's wheels unpack a toolkit into site-packages/nvidia/cuNN, but with versioned libraries only,
without the folder names that CMake's FindCUDAToolkit looks for, and without the driver library
that programs for a GPU are linked against.
"""

import os
import shlex
import shutil
from pathlib import Path

from scripts.job import Job
from scripts.process import CommandError


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
    _add_driver_stub(libraries / "stubs", running)
    return root


def _add_driver_stub(folder: Path, running: Job) -> None:
    """Add a libcuda.so to link against: the driver brings the real one, no toolkit does.

    It is an empty library of the driver's name, since a shared library may leave symbols open
    when it is linked. Without a C compiler there is none, and nothing to link either.
    """
    stub = folder / "libcuda.so"
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if stub.exists() or shutil.which(compiler[0]) is None:
        return
    folder.mkdir(exist_ok=True)
    library = ["-shared", "-nostdlib", "-Wl,-soname,libcuda.so.1", "-o", stub]
    try:
        running.run([*compiler, *library, "-x", "c", os.devnull])
    except CommandError:
        running.note("no stub of libcuda.so could be made: linking for a GPU will fail")
