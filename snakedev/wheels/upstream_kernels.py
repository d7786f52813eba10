"""Kernels that are not compiled: those of a project's own wheel of the same version.

Kernel libraries may use nothing of Python but PyModule_Create2, in the init function that `import`
calls; vLLM's are like that. Loaded through torch instead they serve any interpreter, whatever its
ABI. Libraries that use more of Python are not taken: some are compiled here, as the layout of the
kernels says, and the others are left out, with the folder that they lie in. All else that the wheel
has and the source has not is what the build brings from other projects, Python files mostly, which
call such libraries or are kernels themselves: it is taken whole.
"""

import re
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import output
from snakedev.base.records import Record
from snakedev.config.model import Config
from snakedev.config.repos import WheelPin
from snakedev.fetch import archive
from snakedev.recipes.recipe import KernelLayout
from snakedev.recipes.registry import borrowed_layout
from snakedev.wheels.device_code import embedded, find_cuobjdump, runs
from snakedev.wheels.metadata import read_metadata

_INIT_ALONE = {"PyModule_Create2"}
# the parents of a file in a package: it, and the wheel
_DEPTH_OF_PACKAGES = 2
_LIBRARY = re.compile(r"\.so(\.[\d.]+)?$")


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
    """What of the wheel is neither taken nor compiled here, with the reason: libraries beside the
    package's own files, and folders of others."""


class KernelsRecord(Record):
    """What there is to borrow, and the wheel that holds it."""

    kernels: BorrowedKernels
    wheel: Path


def refuse_lacking(
    layout: KernelLayout,
    own: Sequence[str],
    kernels: BorrowedKernels,
    variant: str,
    built_for: Sequence[str],
) -> None:
    """Raise UserError for what a variant is built for and kernels are not compiled for.

    ``own`` are the project's own libraries, which must have code for each GPU that is asked for;
    ``built_for`` are GPU architectures, or instruction sets of the cpu variant.
    """
    if variant == "cpu":
        _refuse_instruction_sets(layout, kernels, built_for)
    else:
        _refuse_architectures(own, kernels, built_for)


def _refuse_instruction_sets(
    layout: KernelLayout, kernels: BorrowedKernels, isas: Sequence[str]
) -> None:
    libraries = {isa: layout.by_instruction_set[isa] for isa in isas}
    there = {library.name for library in kernels.libraries}
    if lacking := [isa for isa, library in libraries.items() if library not in there]:
        raise UserError(
            f"config.yaml: variants.cpu.isa: {', '.join(lacking)}: {kernels.file} has no "
            f"{' and no '.join(libraries[isa] for isa in lacking)} that serves any Python: "
            f"take it off the list, or set variants.cpu.kernels: source"
        )


def _refuse_architectures(
    own: Sequence[str], kernels: BorrowedKernels, architectures: Sequence[str]
) -> None:
    for library in kernels.libraries:
        # few kernels of a library have PTX
        binaries = [code for code in library.device_code if code.startswith("sm_")]
        lacking = [one for one in architectures if not runs(binaries, one)]
        if lacking and library.name in own:
            raise UserError(
                f"config.yaml: variants.cuda.architectures: {', '.join(lacking)}: {library.name} "
                f"of {kernels.file} is compiled for {', '.join(binaries)}: take it off the list, "
                f"or set variants.cuda.kernels: source"
            )


def examine(
    wheel: Path,
    config: Config,
    variant: str,
    own: Sequence[str],
    torch: str,
    environment: Path,
    running: Job,
) -> BorrowedKernels:
    """Look into a wheel that a variant is to take kernels from: its libraries, what they use of
    Python, and their device code.

    ``own`` are the libraries that nothing works without, ``torch`` is the version that the kernels
    will run with; for GPUs the build environment has the program that lists device code. Raises
    UserError for a wheel that is not what was pinned or is made for another torch, and for one
    without kernels that nothing works without.
    """
    pin, layout = config.borrowed(variant), borrowed_layout(config, variant)
    assert pin is not None and layout is not None
    _refuse_other(wheel, pin, f"repos.{config.borrower(variant)}.kernels.{variant}")
    _refuse_other_torch(wheel, variant, torch)
    cuobjdump = find_cuobjdump(environment, None) if variant == "cuda" else None
    libraries, left_out = [], dict[str, str]()
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
            elif not member.startswith(layout.compiled_here):
                left_out |= _left_out(PurePosixPath(member))
    folders = tuple(f"{name}/" for name in left_out)
    libraries = [one for one in libraries if not one.member.startswith(folders)]
    for name in own if variant == "cuda" else ():
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


def _left_out(member: PurePosixPath) -> dict[str, str]:
    """What is left out for a library that no other Python can load: the folder that it lies in,
    where that is not the package itself, since the other files there call it."""
    name = member.name.split(".")[0]
    if len(member.parents) > _DEPTH_OF_PACKAGES:
        return {str(member.parent): f"its {name} is made for another ABI of Python"}
    return {str(member.with_name(name)): "it is made for another ABI of Python"}


def unpack(wheel: Path, kernels: BorrowedKernels, in_source: Collection[str], folder: Path) -> None:
    """Unpack what a build takes from a wheel: the libraries, and the files that go with them.

    ``in_source`` are the paths of the source's own files, and of those that patches take out of it.
    """
    libraries = {library.member for library in kernels.libraries}
    packages = {PurePosixPath(member).parts[0] for member in libraries}
    left_out = tuple(f"{name}/" for name in kernels.left_out)

    def wanted(path: str) -> bool:
        if _LIBRARY.search(path):
            return path in libraries
        parents = PurePosixPath(path).parents
        # what lies beside the package's own files is no other project's
        brought = len(parents) > _DEPTH_OF_PACKAGES and path.partition("/")[0] in packages
        return brought and path not in in_source and not path.startswith(left_out)

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


def _refuse_other(wheel: Path, pin: WheelPin, key: str) -> None:
    """Raise UserError for a wheel that is not the one of a key of config.yaml."""
    metadata = read_metadata(wheel)
    its = canonicalize_name(metadata.name), str(metadata.version)
    if its != (canonicalize_name(pin.name), pin.version):
        raise UserError(
            f"{wheel.name}: it is {' '.join(its)}, and {key} says {pin.name} {pin.version}"
        )


def _refuse_other_torch(wheel: Path, variant: str, torch: str) -> None:
    """Raise UserError for a wheel that is made for other versions of torch."""
    for requirement in map(Requirement, map(str, read_metadata(wheel).requires_dist or ())):
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
