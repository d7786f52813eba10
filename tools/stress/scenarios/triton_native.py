"""Triton's native module: arguments' types told apart, and kernels compiled, in threads."""

from collections.abc import Mapping
from random import Random
from typing import Any

import triton
from triton._C.libtriton import native_specialize_impl
from triton.compiler import ASTSource, make_backend

from stress import triton_driver
from stress.scenario import Operation, Scenario, same

_KERNELS = range(12)
_BLOCKS = (64, 128)
_TYPES = 10000
_SIGNATURE = {"x_ptr": "*fp32", "y_ptr": "*fp32", "n": "i32", "BLOCK": "constexpr"}


class Stress(Scenario):
    """Threads have arguments specialized, of types that come up for the first time, and compile
    kernels for compute capability 9.0, each anew."""

    round_seconds = 0.2

    def set_up(self) -> None:
        triton.knobs.compilation.always_compile = True
        module = triton_driver.kernels(self.setting.scratch, _KERNELS)
        self.kernels = [triton.jit(getattr(module, f"kernel{number}")) for number in _KERNELS]
        self.backend = make_backend(triton_driver.TARGET)
        self.between_rounds(Random(0))
        self.expected = {
            (number, block): self._compiled(number, block)
            for number in _KERNELS
            for block in _BLOCKS
        }

    def operations(self) -> Mapping[str, Operation]:
        return {"types": self._types, "compile": self._compile}

    def between_rounds(self, random: Random) -> None:
        self.types = [triton_driver.DType() for _ in range(_TYPES)]

    def _types(self, random: Random) -> None:
        for dtype in self.types:
            tensor = triton_driver.Tensor(dtype)
            same(self._specialized(tensor), ("*fp32", "D"), "a tensor's type")
            same(self._specialized(17), ("i32", ""), "a number's type")

    def _specialized(self, value: Any) -> Any:
        return native_specialize_impl(self.backend, value, False, True, True)

    def _compile(self, random: Random) -> None:
        number, block = random.choice(_KERNELS), random.choice(_BLOCKS)
        same(self._compiled(number, block), self.expected[number, block], f"kernel{number} in PTX")

    def _compiled(self, number: int, block: int) -> str:
        source = ASTSource(self.kernels[number], _SIGNATURE, {"BLOCK": block})
        return triton.compile(source, target=triton_driver.TARGET).asm["ptx"]
