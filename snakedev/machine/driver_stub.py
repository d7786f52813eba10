"""A stand-in for NVIDIA's driver library: the driver brings it, and no toolkit does.

A build links against one, and what is linked against it can be loaded without a GPU. Each function
of it fails with CUDA_ERROR_NO_DEVICE, as the real ones do where no GPU answers.
"""

import ctypes
import re
import tempfile
from collections.abc import Sequence, Set
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import CommandError, output
from snakedev.machine.compilers import find_compiler

_SONAME = "libcuda.so.1"
# The driver's functions; those of CUDA's libraries go on in lower case (cudaMalloc, cublasCreate).
_FUNCTION = re.compile(r"^\s+U (cu[A-Z]\w*)", re.MULTILINE)
_NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE of cuda.h


def write(names: Set[str], stub: Path, compiler: Sequence[str | Path], running: Job) -> None:
    """Make a library of the driver's name that has functions of these names.

    A linker that drops libraries which nothing is needed of (`--as-needed`, the default of some
    distributions) finds in it what it looks for. Raises CommandError when it cannot be compiled.
    """
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "libcuda.c")
        functions = (f"int {name}(void) {{ return {_NO_DEVICE}; }}\n" for name in sorted(names))
        source.write_text("".join(functions))
        library = ["-shared", "-fPIC", "-nostdlib", f"-Wl,-soname,{_SONAME}", "-o"]
        running.run([*compiler, *library, stub, source])


def functions_of(header: Path) -> set[str]:
    """The driver's functions that a toolkit's cuda.h names, under all their names."""
    return set(re.findall(r"\bcu[A-Z]\w*", header.read_text(encoding="utf-8", errors="replace")))


def stand_in(libraries: Sequence[Path], folder: Path, running: Job) -> Path | None:
    """Have the driver of libraries in a folder, for the loader's search path; None where it is.

    What is not linked against the driver does not find it there, either. None too where nothing of
    the driver is needed. Raises UserError without a C compiler.
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
    folder.mkdir(exist_ok=True)
    write(names, folder / _SONAME, compiler, running)
    running.note(f"no driver here: {_SONAME} is a stub with {len(names)} functions")
    return folder


def _driver_is_there() -> bool:
    try:
        ctypes.CDLL(_SONAME)
    except OSError:
        return False
    return True
