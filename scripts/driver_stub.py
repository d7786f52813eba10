"""A stand-in for NVIDIA's driver library, to load what is linked against it without a GPU.

Each function of it fails with CUDA_ERROR_NO_DEVICE, as the real ones do where no GPU answers.
"""

import ctypes
import re
from collections.abc import Sequence
from pathlib import Path

from scripts.errors import UserError
from scripts.job import Job
from scripts.machine import find_compiler
from scripts.process import CommandError, output

_SONAME = "libcuda.so.1"
# The driver's functions; those of CUDA's libraries go on in lower case (cudaMalloc, cublasCreate).
_FUNCTION = re.compile(r"^\s+U (cu[A-Z]\w*)", re.MULTILINE)
_NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE of cuda.h


def make(libraries: Sequence[Path], folder: Path, running: Job) -> Path | None:
    """Make a stub in a folder, to be preloaded; None where a driver is there, or none is needed.

    Raises UserError without a C compiler.
    """
    names: set[str] = set()
    for library in libraries:
        try:
            listed = output(["nm", "--dynamic", "--undefined-only", library])
        except CommandError:
            continue  # what is no library says so when it is loaded
        names.update(_FUNCTION.findall(listed))
    if not names or _driver_is_there():
        return None
    compiler = find_compiler("cc")
    if compiler is None:
        raise UserError("a C compiler is missing: it makes the stub of libcuda that is loaded here")
    source, stub = folder / "libcuda.c", folder / _SONAME
    source.write_text("".join(f"int {name}(void) {{ return {_NO_DEVICE}; }}\n" for name in names))
    running.run([compiler, "-shared", "-fPIC", f"-Wl,-soname,{_SONAME}", "-o", stub, source])
    running.note(f"no driver here: {_SONAME} is a stub with {len(names)} functions")
    return stub


def _driver_is_there() -> bool:
    try:
        ctypes.CDLL(_SONAME)
    except OSError:
        return False
    return True
