"""What the locks leave out on purpose: envs/exclusions.yaml, each entry with its reason."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pydantic import StringConstraints, ValidationError

from snakedev.base.errors import UserError
from snakedev.base.records import Record
from snakedev.base.yaml_file import read_yaml

FILE = "exclusions.yaml"
# The key of a section for one lock.
_LOCK = re.compile(r"lock\s+(\S+)$")
_Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Exclusion(Record):
    """An entry of the file."""

    reason: _Said
    """Why it is left out."""
    without: _Said
    """What of vLLM does not work without it."""


@dataclass(frozen=True)
class Exclusions:
    """Packages that no lock holds, and extras that no lock takes."""

    packages: Mapping[str, Exclusion]
    """By canonical name."""
    extras: Mapping[tuple[str, str], Exclusion]
    """By canonical names of package and extra."""


def read_exclusions(folder: Path, lock: str | None = None) -> Exclusions:
    """Read exclusions.yaml: `reason` and `without` by `name` or `name[extra]`; raises UserError.

    Those are for every lock. Entries under `lock NAME:` are for that lock alone, and are left out
    unless ``lock`` is its name.
    """
    path = folder / FILE
    try:
        entries = read_yaml(path) or {}
    except FileNotFoundError:
        raise UserError(f"{path} is missing: it says what the locks leave out, and why") from None
    if not isinstance(entries, dict):
        raise UserError(f"{path}: not a mapping of packages to reasons")
    shared = {key: said for key, said in entries.items() if not _LOCK.match(str(key))}
    packages, extras = _read(path, shared)
    for key, own in entries.items():
        if not (named := _LOCK.match(str(key))):
            continue
        if not isinstance(own, dict):
            raise UserError(f"{path}: {key} is not a mapping of packages to reasons")
        # read also where it is for another lock, so that a mistake in it is always found
        found = _read(path, own)
        if named[1] == lock:
            packages, extras = packages | found[0], extras | found[1]
    return Exclusions(packages, extras)


def _read(
    path: Path, entries: Mapping[object, object]
) -> tuple[dict[str, Exclusion], dict[tuple[str, str], Exclusion]]:
    """The packages and the extras among some entries, each with what is said of it."""
    packages: dict[str, Exclusion] = {}
    extras: dict[tuple[str, str], Exclusion] = {}
    for key, said in entries.items():
        try:
            requirement = Requirement(str(key))
        except InvalidRequirement:
            raise UserError(f"{path}: {key!r} is not a package name or name[extra]") from None
        if requirement.specifier or requirement.marker or requirement.url:
            raise UserError(f"{path}: {key!r} says more than a package name or name[extra]")
        try:
            exclusion = Exclusion.model_validate(said)
        except ValidationError:
            raise UserError(
                f"{path}: {key}: give it `reason` (why it is left out) and `without` (what of vLLM "
                "does not work without it), each a text, and nothing else"
            ) from None
        name = canonicalize_name(requirement.name)
        if requirement.extras:
            extras |= {(name, canonicalize_name(e)): exclusion for e in requirement.extras}
        else:
            packages[name] = exclusion
    return packages, extras
