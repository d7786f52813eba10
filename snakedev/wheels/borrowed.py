"""Borrowed kernels as records name them, and the GPUs and CPUs that they run on."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from snakedev.base.errors import UserError
from snakedev.base.records import Record
from snakedev.wheels.device_code import runs

ALWAYS_USED = ("_C_stable_libtorch", "_moe_C_stable_libtorch")
"""The libraries that vLLM for CUDA cannot do without: they must have code for each GPU that is
asked for. Others are for some GPUs only, and vLLM looks which there are."""
CPU_LIBRARIES = {"amx": "_C", "avx512": "_C_AVX512", "avx2": "_C_AVX2"}
"""The library of vLLM for x86-64 CPUs for each instruction set; it loads the best that runs."""


class KernelLibrary(Record):
    """A library of kernels, as the wheel has it."""

    member: str
    """Its path in the wheel."""
    device_code: tuple[str, ...]
    """Binaries (`sm_90a`) and PTX (`compute_80`); none in a library for CPUs."""

    @property
    def name(self) -> str:
        """The name that torch knows its kernels by."""
        return PurePosixPath(self.member).name.split(".")[0]


class BorrowedKernels(Record):
    """Kernels that come from a finished wheel, and where from."""

    name: str
    version: str
    sha256: str
    file: str
    libraries: tuple[KernelLibrary, ...]
    left_out: dict[str, str]
    """What else of the wheel is neither taken nor compiled here, with the reason."""


class KernelsRecord(Record):
    """What there is to borrow, and the wheel that holds it."""

    kernels: BorrowedKernels
    wheel: Path


def refuse_lacking(kernels: BorrowedKernels, variant: str, asked: Sequence[str]) -> None:
    """Raise UserError for what is asked for of a variant and kernels are not compiled for.

    ``asked`` are GPU architectures, or instruction sets of the cpu variant.
    """
    if variant == "cpu":
        _refuse_instruction_sets(kernels, asked)
    else:
        _refuse_architectures(kernels, asked)


def _refuse_instruction_sets(kernels: BorrowedKernels, asked: Sequence[str]) -> None:
    there = {library.name for library in kernels.libraries}
    if lacking := [isa for isa in asked if CPU_LIBRARIES[isa] not in there]:
        raise UserError(
            f"config.yaml: variants.cpu.isa: {', '.join(lacking)}: {kernels.file} has no "
            f"{' and no '.join(CPU_LIBRARIES[isa] for isa in lacking)} that serves any Python: "
            f"take it off the list, or set variants.cpu.kernels: source"
        )


def _refuse_architectures(kernels: BorrowedKernels, asked: Sequence[str]) -> None:
    for library in kernels.libraries:
        # few kernels of a library have PTX
        binaries = [code for code in library.device_code if code.startswith("sm_")]
        lacking = [one for one in asked if not runs(binaries, one)]
        if lacking and library.name in ALWAYS_USED:
            raise UserError(
                f"config.yaml: variants.cuda.architectures: {', '.join(lacking)}: {library.name} "
                f"of {kernels.file} is compiled for {', '.join(binaries)}: take it off the list, "
                f"or set variants.cuda.kernels: source"
            )
