"""What the locks leave out on purpose: envs/exclusions.yaml, each entry with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pydantic import StringConstraints, ValidationError

from scripts.errors import UserError
from scripts.records import Record

FILE = "exclusions.yaml"
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


def read_exclusions(folder: Path) -> Exclusions:
    """Read exclusions.yaml: `reason` and `without` by `name` or `name[extra]`; raises UserError."""
    path = folder / FILE
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        raise UserError(f"{path} is missing: it says what the locks leave out, and why") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(entries, dict):
        raise UserError(f"{path}: not a mapping of packages to reasons")
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
    return Exclusions(packages, extras)
