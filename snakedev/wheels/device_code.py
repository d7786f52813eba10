"""Device code for GPUs: what a library holds, what its build asked for, and what runs it.

NVIDIA's is named as cuobjdump and nvcc name it: `sm_90a` is a binary, `compute_80` is PTX, which
the driver compiles for newer GPUs when it is first used. AMD's is named as clang names it:
`gfx90a`, and `gfx90a:xnack+` where it is for one setting of a feature only.
"""

import re
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.process import CommandError, output
from snakedev.machine.gpu_architectures import runs_on

_EMBEDDED = re.compile(r"^Fatbin (elf|ptx) code:\n=+\narch = sm_(\w+)$", re.MULTILINE)
# a project that the build takes in has a folder of its own
_TARGET = re.compile(r"  OBJECT_DIR = (?:.+/)?CMakeFiles/([^/]+)\.dir$")
_OFFLOAD = re.compile(r"--offload-arch=(\S+)")
# clang's "offload bundle": a count, and for each entry offset, size and the length of its name, as
# numbers of 8 bytes, the name behind them (clang/docs/ClangOffloadBundler.rst)
_BUNDLE = b"__CLANG_OFFLOAD_BUNDLE__"
_HIP = re.compile(rb"hip(?:v4)?-amdgcn-amd-amdhsa--(gfx[\w:+-]+)")
_MOST_ENTRIES = 256
_GENCODE = re.compile(r"-gencode[ =]arch=\w+,code=\[?((?:sm|compute)_\w+)")
# What nvcc 13.0 compiles for when it is not told.
_DEFAULT = "sm_75"


@dataclass(frozen=True)
class Expected:
    """What the device code of a wheel should be."""

    embedded: Callable[[Path], frozenset[str]]
    """Lists what a library holds."""
    by_library: Mapping[str, frozenset[str]]
    """By library, without its suffixes: what its build has the compiler for GPUs make."""
    architectures: tuple[str, ...]
    """What the wheel is for."""
    own: frozenset[str] = frozenset()
    """The source's own libraries, which must run on each of these if they have device code; those
    of external projects are for some GPUs alone. Empty: all must."""

    def checked(self, root: Path, library: Path) -> frozenset[str]:
        """The device code of a library at a path of the wheel that is laid out in ``root``.

        Raises UserError as `check` does.
        """
        held, name = self.embedded(root / library), library.name.split(".")[0]
        everywhere = not self.own or name in self.own
        architectures = self.architectures if everywhere else ()
        check(str(library), held, self.by_library.get(name), architectures)
        return held


def find_cuobjdump(environment: Path, toolkit: Path | None) -> Path:
    """The program that lists device code: a toolkit's, or the one that triton brings.

    Raises UserError where there is none.
    """
    candidates = [
        *([toolkit / "bin" / "cuobjdump"] if toolkit else []),
        *sorted(environment.glob("lib/python*/site-packages/nvidia/cu*/bin/cuobjdump")),
        *sorted(environment.glob("lib/python*/site-packages/triton/backends/nvidia/bin/cuobjdump")),
    ]
    program = next((path for path in candidates if path.is_file()), None)
    if program is None:
        raise UserError(
            f"{environment.name}: there is no cuobjdump in it, which lists a wheel's device code: "
            f"add nvidia-cuda-cuobjdump to its .in file and run `snakemake locks`"
        )
    return program


def embedded(library: Path, cuobjdump: Path) -> frozenset[str]:
    """The device code that a library holds; raises CommandError as cuobjdump fails."""
    try:
        listed = output([cuobjdump, library])
    except CommandError as error:
        # it takes this for a failure
        if any(line.endswith("does not contain device code") for line in error.tail):
            return frozenset()
        raise
    return frozenset(
        f"{'sm' if kind == 'elf' else 'compute'}_{number}"
        for kind, number in _EMBEDDED.findall(listed)
    )


def embedded_by_clang(library: Path) -> frozenset[str]:
    """The device code for AMD's GPUs that a library holds, compressed bundles aside."""
    data = library.read_bytes()
    codes, start = set(), -1
    while (start := data.find(_BUNDLE, start + 1)) >= 0:
        place = start + len(_BUNDLE)
        for name in _entries(data, place):
            if match := _HIP.fullmatch(name):
                codes.add(match[1].decode())
    return frozenset(codes)


def _entries(data: bytes, place: int) -> Iterable[bytes]:
    """The names in the bundle whose count is at a place; none where there is no bundle."""
    number = struct.Struct("<Q")
    if len(data) < place + 8 or (count := number.unpack_from(data, place)[0]) > _MOST_ENTRIES:
        return
    place += 8
    for _ in range(count):
        if len(data) < place + 24:
            return
        length = number.unpack_from(data, place + 16)[0]
        yield data[place + 24 : place + 24 + length]
        place += 24 + length


def by_target(build_file: Path) -> dict[str, frozenset[str]]:
    """By CMake target, the device code that a build.ninja has made for its sources; without the
    targets whose code `embedded_by_clang` cannot read."""
    targets: dict[str, set[str]] = {}
    compressed: set[str] = set()
    compiler, flags = None, ""
    for line in build_file.read_text(encoding="utf-8").splitlines():
        if line.startswith("build "):
            compiler, flags = re.search(r": (CUDA|HIP)_COMPILER__", line), ""
        elif compiler and line.startswith("  FLAGS = "):
            flags = line
        elif compiler and (target := _TARGET.match(line)):
            asked = _OFFLOAD.findall(flags) if compiler[1] == "HIP" else _GENCODE.findall(flags)
            targets.setdefault(target[1], set()).update(asked or [_DEFAULT])
            if "--offload-compress" in flags:
                compressed.add(target[1])
    return {name: frozenset(codes) for name, codes in targets.items() if name not in compressed}


def check(
    name: str,
    held: frozenset[str],
    built: frozenset[str] | None,
    architectures: Iterable[str],
) -> None:
    """Raise UserError where a library's device code is not what its build had nvcc make (if that is
    known), or does not run on each of the architectures that the wheel is for."""
    if built is not None and held != built:
        raise UserError(
            f"{name}: it holds device code {_listed(held)}, and its build asked for "
            f"{_listed(built)}"
        )
    lacking = [wanted for wanted in architectures if not runs(held, wanted)]
    if held and lacking:
        raise UserError(
            f"{name}: its device code ({_listed(held)}) does not run on {', '.join(lacking)}"
        )


def runs(held: Iterable[str], architecture: str) -> bool:
    """Whether some of the code runs on a GPU of an architecture: `9.0a`, `8.9` or `gfx90a`."""
    if architecture.startswith("gfx"):
        return any(code.partition(":")[0] == architecture for code in held)
    capability = architecture.rstrip("af")
    for code in held:
        kind, _, number = code.partition("_")
        of = _dotted(number)
        if kind == "sm" and runs_on([of], capability):
            return True
        # PTX without a letter is compiled for any GPU that is no older
        if kind == "compute" and of[-1].isdigit() and _order(of) <= _order(capability):
            return True
    return False


def _dotted(number: str) -> str:
    """`90a` as `9.0a`."""
    digits = number.rstrip("af")
    return f"{digits[:-1]}.{digits[-1]}{number[len(digits) :]}"


def _order(capability: str) -> tuple[int, int]:
    major, _, minor = capability.partition(".")
    return int(major), int(minor)


def _listed(codes: Iterable[str]) -> str:
    return ", ".join(sorted(codes)) or "none"
