"""Triton without a GPU: a driver that launches nothing, and kernels to compile for one.

Runs inside the run environment: standard library and Triton.
"""

import importlib.util
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from triton.backends.compiler import GPUTarget
from triton.runtime.driver import driver

from stress.scenario import Finding

TARGET = GPUTarget("cuda", 90, 32)
_LOAD_SECONDS = 0.001
_KERNEL = """
import triton
import triton.language as tl

FACTOR: tl.constexpr = tl.constexpr({number})


def _helper{number}(x):
    return x * FACTOR + {number}


helper{number} = triton.jit(_helper{number})


def kernel{number}(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets, mask=offsets < n)
    tl.store(y_ptr + offsets, helper{number}(x), mask=offsets < n)
"""


class DType:
    """A type of a tensor's elements, as torch writes it."""

    def __init__(self, name: str = "float32"):
        self.name = name

    def __str__(self) -> str:
        return f"torch.{self.name}"


FLOAT32 = DType()


class Tensor:
    """An argument of a kernel, with the thread that it belongs to."""

    def __init__(self, dtype: DType = FLOAT32):
        self.dtype, self.owner = dtype, threading.get_ident()

    def data_ptr(self) -> int:
        """An address that is a multiple of 16."""
        return 4096

    def clone(self) -> "Tensor":
        """A copy, as an autotuner makes one."""
        return Tensor(self.dtype)

    def copy_(self, other: "Tensor") -> None:
        """Take the values of another thread's tensor: raises `Finding`."""
        if other.owner != self.owner:
            raise Finding("a tensor is restored from another thread's copy")


class Once:
    """What may happen only once, until it is forgotten."""

    def __init__(self, what: str):
        self.what, self._lock = what, threading.Lock()
        self._seen: dict[tuple[str, int], object] = {}

    def happens(self, name: str, of: object = None) -> None:
        """Raise `Finding` where it has happened already with that name, and that object."""
        with self._lock:
            # the object stays, and so its id is no other's
            if (name, id(of)) in self._seen:
                raise Finding(f"{name} is {self.what} twice")
            self._seen[name, id(of)] = of

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._seen.clear()


class Launcher:
    """Launches nothing, and looks at what it is to launch."""

    def __init__(self, src: Any, metadata: Any):
        self.name = metadata.name

    def __call__(self, x: int, y: int, z: int, stream: int, function: Any, *rest: Any) -> None:
        if function != self.name:
            raise Finding(f"{self.name} is launched with the function {function}")


class Utils:
    """What a driver does with modules; raises `Finding` for one that it has loaded already."""

    def __init__(self) -> None:
        self.once = Once("loaded")

    def get_device_properties(self, device: int) -> dict[str, int]:
        """Of an H100."""
        return {"max_shared_mem": 232448}

    def load_binary(
        self, name: str, kernel: bytes, shared: int, device: int
    ) -> tuple[str, str, int, int, int]:
        """A module and its function, both by name."""
        self.once.happens(name, kernel)
        time.sleep(_LOAD_SECONDS)
        return name, name, 0, 0, 1024

    def unload_module(self, module: str) -> None:
        """Nothing to do."""


class Driver:
    """A driver of a GPU of compute capability 9.0, on which nothing is launched."""

    def __init__(self) -> None:
        self.utils, self.launcher_cls = Utils(), Launcher

    def get_current_device(self) -> int:
        """The only one."""
        return 0

    def get_current_stream(self, device: int) -> int:
        """The default one."""
        return 0

    def get_current_target(self) -> GPUTarget:
        """What is compiled for."""
        return TARGET


def use_driver() -> Driver:
    """Have Triton use such a driver."""
    made = Driver()
    driver.set_active(made)
    return made


def kernels(folder: Path, numbers: range) -> ModuleType:
    """A module with the Python functions ``kernelN``, not yet kernels, for each number."""
    path = folder / "stress_kernels.py"
    path.write_text("".join(_KERNEL.format(number=number) for number in numbers), encoding="utf-8")
    return imported(path)


def imported(path: Path) -> ModuleType:
    """The module of a file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
