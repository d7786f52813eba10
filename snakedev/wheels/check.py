"""What a wheel must be before it is published.

Its tags fit the free-threaded interpreter (or any), its metadata parse and name what was asked
for, and each of its extensions, installed beside the build environment's packages, loads without
bringing the GIL back.
"""

import json
import re
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import distributions
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, platform_tags
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    canonicalize_version,
    parse_wheel_filename,
)
from uv import find_uv_bin

from snakedev import inside
from snakedev.base.capacity import available_cores
from snakedev.base.errors import UserError
from snakedev.base.folders import for_code
from snakedev.base.job import Job
from snakedev.base.process import CommandError, output
from snakedev.base.records import Record
from snakedev.environments.requirements import marker_environment
from snakedev.machine import driver_stub, sanitizer
from snakedev.wheels import device_code
from snakedev.wheels.metadata import read_metadata

_PROBE = inside.FOLDER / "extension_probe.py"


class CheckedWheel(Record):
    """What the check read off a wheel."""

    version: str
    tags: tuple[str, ...]
    requires: tuple[str, ...]
    gil: dict[str, str]
    device_code: dict[str, tuple[str, ...]]
    instrumented: dict[str, bool]


def check(
    wheel: Path,
    name: str,
    version: str,
    environment: Path,
    running: Job,
    device: device_code.Expected | None = None,
    *,
    abi: str,
    declared: Collection[str] | None = None,
) -> CheckedWheel:
    """Check a wheel with the interpreter of a build environment, and its device code if it has any.

    ``abi`` is the interpreter's, as `cp314t`. Of a finished wheel only the modules that stand in
    front of those that are ``declared`` are made here; the others are as its project has them.
    Raises UserError that names the wheel and the first thing that is wrong with it.
    """
    try:
        its_name, its_version, _, tags = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise UserError(f"{wheel.name}: {error}") from None
    if its_name != canonicalize_name(name):
        raise UserError(f"{wheel.name}: this is a wheel of {its_name}, not of {name}")
    if canonicalize_version(its_version) != canonicalize_version(version):
        raise UserError(
            f"{wheel.name}: its version is {its_version} where config.yaml says {version}"
        )
    metadata = read_metadata(wheel)
    if (canonicalize_name(metadata.name), metadata.version) != (its_name, its_version):
        raise UserError(
            f"{wheel.name}: its METADATA are those of {metadata.name} {metadata.version}"
        )
    _check_tags(wheel, tags, abi)
    with tempfile.TemporaryDirectory(dir=for_code()) as scratch:
        site = Path(scratch) / "site"
        extensions = _install(wheel, site, environment)
        if declared is not None:
            extensions = [one for one in extensions if _is_front(one, declared)]
        _refuse_executable_stacks(wheel, site, extensions)
        missing = _missing(metadata.requires_dist or (), _python_of(abi), environment)
        gil = _probe_extensions(wheel, site, extensions, environment, missing, running)
        codes = _device_code(site, extensions, device, running) if device else {}
        instrumented = {
            _module(extension): sanitizer.is_instrumented(site / extension)
            for extension in extensions
        }
    modules = [module for module, state in gil.items() if state != "library"]
    if gil and any(tag.platform == "any" for tag in tags):
        raise UserError(f"{wheel.name}: tagged for any machine, but it holds {', '.join(gil)}")
    if modules and any(tag.abi == "none" for tag in tags):
        raise UserError(
            f"{wheel.name}: tagged for any ABI, but {', '.join(modules)} is an extension module"
        )
    holders = [module for module, state in gil.items() if state == "on"]
    if holders and abi.endswith("t"):
        raise UserError(
            f"{wheel.name}: importing {', '.join(holders)} turns the GIL back on: its module "
            f"must declare Py_MOD_GIL_NOT_USED (in PyO3: gil_used = false)"
        )
    return CheckedWheel(
        version=str(its_version),
        tags=tuple(sorted(map(str, tags))),
        requires=tuple(map(str, metadata.requires_dist or ())),
        gil=gil,
        device_code=codes,
        instrumented=instrumented,
    )


def _python_of(abi: str) -> tuple[int, int]:
    """The version of the interpreter that has an ABI: (3, 14) of `cp314t`."""
    digits = re.match(r"cp(\d)(\d+)", abi)
    assert digits is not None
    return int(digits[1]), int(digits[2])


def _check_tags(wheel: Path, tags: Iterable[Tag], abi: str) -> None:
    """Raise UserError for a tag that no interpreter of this ABI takes on this machine."""
    version, platforms = _python_of(abi), list(platform_tags())
    taken = {
        *cpython_tags(version, [abi], platforms),
        *compatible_tags(version, "cp{}{}".format(*version), platforms),
        Tag("py2", "none", "any"),  # beside py3: for whoever has both
    }
    for tag in tags:
        if tag not in taken:
            raise UserError(f"{wheel.name}: the tag {tag} is not one of {abi} on linux")


def _install(wheel: Path, site: Path, environment: Path) -> list[Path]:
    """Install a wheel as environments have it; its libraries, less its copies of others'."""
    command = [find_uv_bin(), "pip", "install", "--quiet", "--no-config", "--no-cache"]
    where: list[str | Path] = ["--python", environment / "bin" / "python", "--target", site]
    try:
        output(
            # by its name: in a path uv would read `#`, `;` and ${VARIABLE} as a requirement's
            [*command, "--offline", "--no-deps", *where, f"./{wheel.name}"],
            cwd=wheel.parent,
            env={"PATH": "/usr/bin:/bin", "TMPDIR": tempfile.gettempdir()},
        )
    except CommandError as error:
        said = " ".join(line.strip() for line in error.tail if line.strip())
        raise UserError(f"{wheel.name}: it cannot be installed: {said}") from None
    found = (path.relative_to(site) for path in site.rglob("*.so") if path.is_file())
    return sorted(path for path in found if not any(p.endswith(".libs") for p in path.parts))


def _missing(
    requirements: Iterable[Requirement], python: tuple[int, int], environment: Path
) -> list[str]:
    """What a wheel requires, no extras asked for, and the build environment does not have."""
    markers = marker_environment("{}.{}".format(*python))
    asked = [r for r in requirements if r.marker is None or r.marker.evaluate(markers)]
    folders = [str(path) for path in environment.glob("lib/python*/site-packages")]
    have = {canonicalize_name(one.metadata["Name"]) for one in distributions(path=folders)}
    return sorted({canonicalize_name(one.name) for one in asked} - have)


def _is_front(extension: Path, declared: Collection[str]) -> bool:
    """Whether an extension stands in front of a module that is declared."""
    file = extension.with_name(f"{extension.name.partition('.')[0]}.so")
    return file != extension and str(file) in declared


def _module(extension: Path) -> str:
    return ".".join(extension.with_name(extension.name.split(".")[0]).parts)


def _refuse_executable_stacks(wheel: Path, site: Path, extensions: Iterable[Path]) -> None:
    """Raise UserError for a library that asks for an executable stack.

    Linkers ask for one when a single object file, as of assembly, does not say that it needs none.
    C libraries before glibc 2.41 load it all the same.
    """
    for extension in extensions:
        if _asks_for_executable_stack(site / extension):
            raise UserError(
                f"{wheel.name}: {extension} asks for an executable stack, and glibc 2.41 and later "
                "load no such library: link it with -z noexecstack (LDFLAGS=-Wl,-z,noexecstack)"
            )


def _asks_for_executable_stack(library: Path) -> bool:
    with library.open("rb") as stream:
        try:
            stacks = [s for s in ELFFile(stream).iter_segments() if s["p_type"] == "PT_GNU_STACK"]
        except ELFError:
            return False  # what is no library says so when it is loaded
        # where nothing is said of it, the loader takes one to be asked for
        return not stacks or bool(stacks[0]["p_flags"] & P_FLAGS.PF_X)


def _probe_extensions(
    wheel: Path,
    site: Path,
    extensions: Sequence[Path],
    environment: Path,
    missing: Sequence[str],
    running: Job,
) -> dict[str, str]:
    """The GIL's state after each extension was loaded, in a fresh process for each.

    ``missing`` are requirements that are not there, so that what imports them cannot be loaded.
    """
    driver_folder = site.with_name("driver")
    variables = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **sanitizer.QUIET}
    driver = driver_stub.stand_in([site / e for e in extensions], driver_folder, running)
    if driver is not None:
        variables["LD_LIBRARY_PATH"] = str(driver)
    ask = partial(_probe, environment / "bin" / "python", site, variables)
    states, absent = {}, set()
    # each imports torch for some seconds where it is linked to it
    with ThreadPoolExecutor(available_cores()) as pool:
        for extension, answer in zip(extensions, pool.map(ask, extensions), strict=True):
            package = answer.get("missing")
            if package and missing and not _is_in(package, site):
                absent.add(package)
                answer = {"state": "unknown"}
            if "error" in answer:
                raise UserError(f"{wheel.name}: {extension} does not load: {answer['error']}")
            states[_module(extension)] = answer["state"]
            running.note(f"{extension}: GIL {answer['state']}")
    unknown = [module for module, state in states.items() if state == "unknown"]
    if unknown:
        more = f" and {len(unknown) - 1} more" if unknown[1:] else ""
        running.say(
            f"not loaded: {unknown[0]}{more}, as {', '.join(sorted(absent))} is not there to import"
            f" (the build environment has no {', '.join(missing)})"
        )
    return states


def _probe(
    python: Path, site: Path, variables: Mapping[str, str], extension: Path
) -> dict[str, str]:
    """What the probe says of an extension alone, else of one whose package was imported."""
    answers = []
    for how in ("alone", "packaged"):
        arguments = (how, site, _module(extension), site / extension)
        try:
            answer = json.loads(output([python, "-I", _PROBE, *arguments], env=variables))
        except CommandError as error:
            answer = {"error": " ".join([str(error), *error.tail[-1:]])}
        if "error" not in answer:
            return answer
        answers.append(answer)
    alone, packaged = answers
    if alone["error"] != packaged["error"]:
        packaged["error"] = f"{alone['error']}; with its package imported: {packaged['error']}"
    if "by" in alone:
        packaged.pop("missing", None)  # no package's code mends what the linker did not find
    return packaged


def _is_in(name: str, site: Path) -> bool:
    return any(path.name.split(".")[0] == name for path in site.iterdir())


def _device_code(
    root: Path, extensions: Sequence[Path], expected: device_code.Expected, running: Job
) -> dict[str, tuple[str, ...]]:
    """The device code of each extension that has any, checked against what it should be."""
    codes = {}
    for extension in extensions:
        if held := expected.checked(root, extension):
            codes[_module(extension)] = tuple(sorted(held))
            running.note(f"{extension}: device code {', '.join(sorted(held))}")
    return codes
