"""Kernels that are not compiled: those of vLLM's own wheel of the same version.

Its kernel libraries use nothing of Python but PyModule_Create2, in the init function that `import`
calls. Loaded through torch instead they serve any interpreter, whatever its ABI. Libraries that
use more of Python are not taken: vLLM's own are compiled here, and those of others are left out.
The Python files that vLLM's build adds to its source go with the kernels that they call.
"""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import output
from snakedev.base.records import Record
from snakedev.config.repos import WheelPin
from snakedev.fetch import archive
from snakedev.wheels.device_code import embedded, find_cuobjdump, runs
from snakedev.wheels.metadata import read_metadata

COMPILED_HERE = ("vllm/cumem_allocator", "vllm/fs_io_C", "vllm/spinloop")
"""vLLM's extensions that use more of Python, without their suffixes."""
# What external projects bring to vLLM's build besides libraries: Python, and sources of kernels
# that are compiled when they are used. Not deep_gemm: nothing of it works without its library, and
# vLLM takes the folder for a sign that it is all there.
_FOLDERS = (
    "vllm/third_party/flashmla/",
    "vllm/third_party/fmha_sm100/",
    "vllm/third_party/tml_fa4/",
    "vllm/third_party/triton_kernels/",
    "vllm/vllm_flash_attn/cute/",
    "vllm/vllm_flash_attn/layers/",
    "vllm/vllm_flash_attn/ops/",
)
_INIT_ALONE = {"PyModule_Create2"}

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


def examine(
    wheel: Path, pin: WheelPin, variant: str, torch: str, environment: Path, running: Job
) -> BorrowedKernels:
    """Look into a wheel: its libraries, what they use of Python, and their device code.

    ``torch`` is the version that the kernels will run with; for GPUs the build environment has the
    program that lists device code. Raises UserError for a wheel that is not what was pinned or is
    made for another torch, and for one without kernels that vLLM cannot do without.
    """
    _refuse_other(wheel, pin, variant, torch)
    cuobjdump = find_cuobjdump(environment, None) if variant == "cuda" else None
    libraries, left_out = [], {}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        archive.unpack_some(wheel, lambda path: path.endswith(".so"), root)
        for path in sorted(root.rglob("*.so")):
            member = path.relative_to(root).as_posix()
            if python_symbols(path) <= _INIT_ALONE:
                held = embedded(path, cuobjdump) if cuobjdump else ()
                codes = tuple(sorted(held, key=_in_order))
                libraries.append(KernelLibrary(member=member, device_code=codes))
                running.note(f"{member}: {', '.join(codes) or 'no device code'}")
            elif not member.startswith(COMPILED_HERE):
                left_out[str(PurePosixPath(member).with_suffix("")).split(".")[0]] = (
                    "it is made for another ABI of Python"
                )
    for name in ALWAYS_USED if variant == "cuda" else ():
        if name not in (library.name for library in libraries):
            raise UserError(
                f"{wheel.name}: it has no {name} that serves any Python: set "
                f"variants.cuda.kernels: source"
            )
    return BorrowedKernels(
        name=pin.name,
        version=pin.version,
        sha256=pin.sha256,
        file=wheel.name,
        libraries=tuple(libraries),
        left_out=left_out,
    )


def unpack(wheel: Path, kernels: BorrowedKernels, folder: Path) -> None:
    """Unpack what a build takes from a wheel: the libraries, and the files that go with them."""
    taken = {library.member for library in kernels.libraries}

    def wanted(path: str) -> bool:
        return path in taken or (path.startswith(_FOLDERS) and not path.endswith(".so"))

    archive.unpack_some(wheel, wanted, folder)


def python_symbols(library: Path) -> set[str]:
    """What a library uses of Python."""
    printed = output(["nm", "--dynamic", "--undefined-only", "--format=posix", library])
    names = {line.split()[0].split("@")[0] for line in printed.splitlines() if line.strip()}
    return {name for name in names if re.match(r"_?Py[A-Z_]", name)}


def _in_order(code: str) -> tuple[str, int, str]:
    """Binaries first, and by number: `sm_90a` before `sm_100`."""
    kind, _, number = code.partition("_")
    digits = number.rstrip("af")
    return "" if kind == "sm" else kind, int(digits), number


def _refuse_other(wheel: Path, pin: WheelPin, variant: str, torch: str) -> None:
    metadata = read_metadata(wheel)
    found = canonicalize_name(metadata.name), str(metadata.version)
    if found != (canonicalize_name(pin.name), pin.version):
        raise UserError(
            f"{wheel.name}: it is {' '.join(found)}, and repos.vllm.kernels.{variant} says "
            f"{pin.name} {pin.version}"
        )
    for requirement in map(Requirement, map(str, metadata.requires_dist or ())):
        if requirement.name != "torch" or not (
            requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        ):
            continue
        # a label such as +cpu says who built it, and changes none of what kernels call
        public = SpecifierSet(re.sub(r"\+[\w.]+", "", str(requirement.specifier)))
        if not public.contains(Version(torch).public, prereleases=True):
            raise UserError(
                f"{wheel.name}: its kernels are built for torch{requirement.specifier}, and "
                f"envs/build-{variant}.lock has torch {torch}: set variants.{variant}.kernels: "
                f"source"
            )
