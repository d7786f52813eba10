"""What a wheel asks for: its Requires-Dist, so that it installs beside the packages of the locks.

Whatever its source says, a wheel asks in an extra, or not at all, for what the locks leave out
(envs/exclusions.yaml), and for no local label of a version, which only one index has.
"""

import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from email.generator import BytesGenerator
from email.parser import BytesParser
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import CommandError, output
from snakedev.environments.requirements import marker_environment
from snakedev.machine import sanitizer
from snakedev.sources.source_facts import without_labels
from snakedev.store.specs import WheelSpec
from snakedev.wheels.metadata import read_metadata


def rewrite(
    wheel: Path, spec: WheelSpec, project: Path, environment: Path, dates: str, running: Job
) -> Path:
    """Have a wheel ask for what it should; returns it, or what was packed in its place.

    ``project`` is the folder that it was built from, ``dates`` the SOURCE_DATE_EPOCH of its build.
    The `wheel` of the build environment packs it. Raises UserError for metadata that do not parse,
    and where there is no `wheel`.
    """
    asked = read_metadata(wheel).requires_dist or []
    wanted = rewritten(asked, spec.excluded, _backend(project), spec.interpreter["version"])
    if list(map(str, wanted)) == list(map(str, asked)):
        return wheel
    command: list[str | Path] = [environment / "bin" / "python", "-IBm", "wheel"]
    variables = {"SOURCE_DATE_EPOCH": dates, **sanitizer.QUIET}
    with tempfile.TemporaryDirectory(dir=wheel.parent) as scratch:
        try:
            output([*command, "unpack", "--dest", scratch, wheel], env=variables)
            (unpacked,) = Path(scratch).iterdir()
            (metadata,) = unpacked.glob("*.dist-info/METADATA")
            _write(metadata, wanted)
            wheel.unlink()
            output([*command, "pack", "--dest-dir", wheel.parent, unpacked], env=variables)
        except CommandError as error:
            if any("No module named wheel" in line for line in error.tail):
                raise UserError(
                    f"{spec.repo}: `wheel`, which packs its wheel, is not in envs/"
                    f"{spec.environment_name}.in: name it there and run `snakemake locks`"
                ) from None
            raise
    (packed,) = wheel.parent.glob("*.whl")
    gone, come = ({str(one) for one in each} for each in (asked, wanted))
    running.note(f"does not ask for {'; '.join(sorted(gone - come))}")
    running.note(f"asks for {'; '.join(sorted(come - gone))}")
    return packed


def rewritten(
    requirements: Sequence[Requirement],
    excluded: Mapping[str, str | None],
    backend: NormalizedName,
    python: str,
) -> list[Requirement]:
    """What a wheel should ask for in place of ``requirements``.

    ``excluded`` has the extra of each package (or `package[extra]`) that the locks leave out, None
    for one that is dropped. A pin of the build's ``backend`` beside a range of it, as vLLM has one
    for the CPU, is a matter of the build: the range counts, where it holds on ``python``.
    """
    asked = [without_labels(one) for one in requirements]
    here = marker_environment(python)
    ranged = any(
        canonicalize_name(one.name) == backend
        and not _is_pin(one)
        and (one.marker is None or one.marker.evaluate(here))
        for one in asked
    )
    kept: list[Requirement] = []
    moved: list[Requirement] = []
    for one in asked:
        if one.marker and re.search(r"\bextra\b", str(one.marker)):
            kept.append(one)
        elif not (ranged and canonicalize_name(one.name) == backend and _is_pin(one)):
            kept += _beside_locks(one, excluded)
            moved += _in_extras(one, excluded)
    return list({str(one): one for one in (*kept, *moved)}.values())


def _is_pin(requirement: Requirement) -> bool:
    return any(
        one.operator.startswith("==") and not one.version.endswith("*")
        for one in requirement.specifier
    )


def _excluded_extras(requirement: Requirement, excluded: Mapping[str, str | None]) -> set[str]:
    name = canonicalize_name(requirement.name)
    return {e for e in requirement.extras if f"{name}[{canonicalize_name(e)}]" in excluded}


def _beside_locks(
    requirement: Requirement, excluded: Mapping[str, str | None]
) -> Iterator[Requirement]:
    """What of a requirement the locks hold."""
    if canonicalize_name(requirement.name) not in excluded:
        bare = copy(requirement)
        bare.extras = requirement.extras - _excluded_extras(requirement, excluded)
        yield bare


def _in_extras(
    requirement: Requirement, excluded: Mapping[str, str | None]
) -> Iterator[Requirement]:
    """A requirement as the extras have it in which it, or an extra of it, is asked for."""
    name = canonicalize_name(requirement.name)
    extras: dict[str | None, set[str]] = {}
    if name in excluded:
        extras[excluded[name]] = requirement.extras
    else:
        for taken in sorted(_excluded_extras(requirement, excluded)):
            extras.setdefault(excluded[f"{name}[{canonicalize_name(taken)}]"], set()).add(taken)
    for extra, own in extras.items():
        if extra is not None:
            moved = copy(requirement)
            condition = f"extra == '{extra}'"
            if requirement.marker:
                condition = f"({requirement.marker}) and {condition}"
            moved.extras, moved.marker = own, Marker(condition)
            yield moved


def _backend(project: Path) -> NormalizedName:
    """The package that a project is built with."""
    try:
        text = (project / "pyproject.toml").read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    backend = tomllib.loads(text).get("build-system", {}).get("build-backend", "setuptools")
    return canonicalize_name(re.split(r"[.:]", backend)[0])


def _write(metadata: Path, requirements: Sequence[Requirement]) -> None:
    """Write other requirements into METADATA, and the extras that they name beside those there."""
    message = BytesParser().parsebytes(metadata.read_bytes())
    extras = message.get_all("Provides-Extra", [])
    known = {canonicalize_name(extra) for extra in extras}
    text = " ".join(str(one.marker) for one in requirements if one.marker)
    named = re.findall(r"\bextra == \"([^\"]+)\"", text)
    extras += sorted({canonicalize_name(extra) for extra in named} - known)
    del message["Requires-Dist"], message["Provides-Extra"]
    for requirement in requirements:
        message["Requires-Dist"] = str(requirement)
    for extra in extras:
        message["Provides-Extra"] = extra
    with metadata.open("wb") as file:
        # lines stay as they are, however long
        BytesGenerator(file, mangle_from_=False, maxheaderlen=0).flatten(message)
