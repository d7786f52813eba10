"""Whether the locks hold what a source asks for, before any environment is made from them."""

import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from snakedev.base.errors import UserError
from snakedev.base.records import Record
from snakedev.environments.exclusions import FILE as EXCLUSIONS_FILE
from snakedev.environments.exclusions import Exclusions, read_exclusions
from snakedev.environments.locks import Pin, lock_pins
from snakedev.sources.source_facts import build_requirements, run_requirements


class CheckedRequirement(Record):
    """A requirement of the source and what answers it."""

    file: str
    requirement: str
    answer: Literal["lock", "built here", "left out", "excluded"]
    detail: str
    """The version, or the reason why it is not there."""


class RequirementsRecord(Record):
    """What a source asks for, with the answer to each."""

    source: str
    requirements: tuple[CheckedRequirement, ...]


_Group = tuple[
    Path,
    Iterator[tuple[str, Requirement]],
    Mapping[NormalizedName, str],
    Mapping[NormalizedName, str],
]
# A lock, what is asked of it, what is built here instead, and what this machine does not build.


def check_requirements(
    tree: Path,
    folder: Path,
    variant: str,
    python_version: str,
    built: Mapping[str, str],
    left_out: Mapping[str, str],
) -> RequirementsRecord:
    """Check what vLLM's source in ``tree`` asks for against the locks in ``folder``.

    Looked at is what building asks for (with the lock build-VARIANT) and what running does (with
    run-VARIANT), as the source's own files say (`read_source`). ``built`` maps
    the repos that are built here to their versions, ``left_out`` those that this machine does not
    build to the reason. Raises UserError with a line for each requirement that nothing answers.
    """
    groups: tuple[_Group, ...] = (
        (folder / f"build-{variant}.lock", build_requirements(tree, variant), {}, {}),
        (
            folder / f"run-{variant}.lock",
            run_requirements(tree, variant),
            {canonicalize_name(name): version for name, version in built.items()},
            {canonicalize_name(name): reason for name, reason in left_out.items()},
        ),
    )
    environment = marker_environment(python_version)
    answered: list[CheckedRequirement] = []
    problems: list[str] = []
    for lock, requirements, ours, missing in groups:
        pins, exclusions = lock_pins(lock), read_exclusions(folder, lock.stem)
        for file, requirement in requirements:
            if requirement.marker and not requirement.marker.evaluate(environment):
                continue
            answer = _answer(file, requirement, pins, ours, missing, exclusions)
            if isinstance(answer, CheckedRequirement):
                answered.append(answer)
            else:
                problems.append(
                    f"{file} of {tree} asks for '{requirement}', and {lock} {answer}: change "
                    f"{lock.with_suffix('.in').name} and run `snakemake locks`, or name it in "
                    f"{folder / EXCLUSIONS_FILE}"
                )
    if problems:
        raise UserError("\n".join(problems))
    return RequirementsRecord(source=str(tree), requirements=tuple(answered))


def _answer(
    file: str,
    requirement: Requirement,
    pins: Mapping[str, Pin],
    built: Mapping[NormalizedName, str],
    left_out: Mapping[NormalizedName, str],
    exclusions: Exclusions,
) -> CheckedRequirement | str:
    """What answers a requirement; else, as text, what the lock has in its place."""

    def checked(
        answer: Literal["lock", "built here", "left out", "excluded"], detail: str
    ) -> CheckedRequirement:
        return CheckedRequirement(
            file=file, requirement=str(requirement), answer=answer, detail=detail
        )

    name = canonicalize_name(requirement.name)
    if name in built:
        if requirement.specifier.contains(built[name], prereleases=True):
            return checked("built here", built[name])
        return f"gives way to {name} {built[name]}, which is built here"
    pin = pins.get(name)
    if pin is None:
        if name in left_out:
            return checked("left out", left_out[name])
        if name in exclusions.packages:
            return checked("excluded", exclusions.packages[name].reason)
        return "has no such package"
    if not requirement.specifier.contains(pin.version, prereleases=True):
        return f"has {pin.version}"
    extras = {canonicalize_name(extra) for extra in requirement.extras} - pin.extras
    if absent := sorted(extra for extra in extras if (name, extra) not in exclusions.extras):
        return f"has it without the extra {', '.join(absent)}"
    reasons = [f"without [{e}]: {exclusions.extras[name, e].reason}" for e in sorted(extras)]
    return checked("lock", "; ".join([str(pin.version), *reasons]))


def marker_environment(python_version: str) -> dict[str, str]:
    """The marker variables of a CPython of this version on this machine."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python_version}.0",
        "platform_python_implementation": "CPython",
        "python_version": python_version,
        "python_full_version": f"{python_version}.0",
        "os_name": "posix",
        "sys_platform": sys.platform,
        "platform_system": platform.system(),
        "platform_machine": platform.machine(),
        "platform_release": platform.release(),
        "platform_version": platform.version(),
        "extra": "",
    }
