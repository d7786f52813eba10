"""What a wheel must be before it is published.

Its tags fit the free-threaded interpreter (or any), its metadata parse and name what was asked
for, and each of its extensions loads in the build environment without bringing the GIL back.
"""

import json
import tempfile
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    canonicalize_version,
    parse_wheel_filename,
)

from snakedev import inside
from snakedev.base.cpu import available_cores
from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import output
from snakedev.base.records import Record
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
) -> CheckedWheel:
    """Check a wheel with the interpreter of a build environment, and its device code if it has any.

    ``abi`` is the interpreter's, as `cp314t`. Raises UserError that names the wheel and the first
    thing that is wrong with it.
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
    with tempfile.TemporaryDirectory() as folder:
        extensions = _unpack_extensions(wheel, Path(folder))
        gil = _probe_extensions(wheel, Path(folder), extensions, environment, running)
        codes = _device_code(Path(folder), extensions, device, running) if device else {}
        instrumented = {
            _module(extension): sanitizer.is_instrumented(Path(folder) / extension)
            for extension in extensions
        }
    pure = {str(tag) for tag in tags} in ({"py3-none-any"}, {"py2-none-any", "py3-none-any"})
    if pure and gil:
        raise UserError(f"{wheel.name}: tagged for any machine, but it holds {', '.join(gil)}")
    for tag in tags:
        if not pure and (tag.abi != abi or "linux" not in tag.platform):
            raise UserError(f"{wheel.name}: the tag {tag} is not one of {abi} on linux")
    holders = [module for module, state in gil.items() if state == "on"]
    if holders:
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


def _unpack_extensions(wheel: Path, root: Path) -> list[Path]:
    """Unpack a wheel's libraries; returns those that are its own, not copies of others'."""
    with zipfile.ZipFile(wheel) as archive:
        libraries = [name for name in archive.namelist() if ".so" in Path(name).suffixes]
        archive.extractall(root, members=libraries)
    return sorted(
        Path(name)
        for name in libraries
        if name.endswith(".so") and not any(p.endswith(".libs") for p in Path(name).parts)
    )


def _module(extension: Path) -> str:
    return ".".join(extension.with_name(extension.name.split(".")[0]).parts)


def _probe_extensions(
    wheel: Path, root: Path, extensions: Sequence[Path], environment: Path, running: Job
) -> dict[str, str]:
    """The GIL's state after each extension was loaded, in a fresh process for each."""

    def ask(extension: Path) -> dict[str, str]:
        python = environment / "bin" / "python"
        command: list[str | Path] = [python, "-I", _PROBE, _module(extension), root / extension]
        return json.loads(output(command, env=variables))

    variables = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **sanitizer.QUIET}
    driver = driver_stub.stand_in([root / e for e in extensions], root / "driver", running)
    if driver is not None:
        variables["LD_LIBRARY_PATH"] = str(driver)
    states = {}
    # each imports torch for some seconds where it is linked to it
    with ThreadPoolExecutor(available_cores()) as pool:
        for extension, answer in zip(extensions, pool.map(ask, extensions), strict=True):
            if "error" in answer:
                raise UserError(f"{wheel.name}: {extension} does not load: {answer['error']}")
            states[_module(extension)] = answer["state"]
            running.note(f"{extension}: GIL {answer['state']}")
    return states


def _device_code(
    root: Path, extensions: Sequence[Path], expected: device_code.Expected, running: Job
) -> dict[str, tuple[str, ...]]:
    """The device code of each extension that has any, checked against what it should be."""
    codes = {}
    for extension in extensions:
        held = device_code.embedded(root / extension, expected.cuobjdump)
        built = expected.by_library.get(extension.name.split(".")[0])
        device_code.check(str(extension), held, built, expected.architectures)
        if held:
            codes[_module(extension)] = tuple(sorted(held))
            running.note(f"{extension}: device code {', '.join(sorted(held))}")
    return codes
