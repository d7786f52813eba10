"""What the locks leave out on purpose: envs/exclusions.yaml, each entry with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from scripts.errors import UserError

FILE = "exclusions.yaml"


@dataclass(frozen=True)
class Exclusions:
    """Packages that no lock holds, and extras that no lock takes."""

    packages: Mapping[str, str]
    """Reasons by canonical name."""
    extras: Mapping[tuple[str, str], str]
    """Reasons by canonical names of package and extra."""


def read_exclusions(folder: Path) -> Exclusions:
    """Read exclusions.yaml: `name: reason` or `name[extra]: reason`; raises UserError."""
    path = folder / FILE
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        raise UserError(f"{path} is missing: it says what the locks leave out, and why") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(entries, dict):
        raise UserError(f"{path}: not a mapping of packages to reasons")
    packages: dict[str, str] = {}
    extras: dict[tuple[str, str], str] = {}
    for key, reason in entries.items():
        try:
            requirement = Requirement(str(key))
        except InvalidRequirement:
            raise UserError(f"{path}: {key!r} is not a package name or name[extra]") from None
        if requirement.specifier or requirement.marker or requirement.url:
            raise UserError(f"{path}: {key!r} says more than a package name or name[extra]")
        if not isinstance(reason, str) or not reason.strip():
            raise UserError(f"{path}: {key} has no reason: say why it is left out")
        name = canonicalize_name(requirement.name)
        if requirement.extras:
            extras |= {(name, canonicalize_name(e)): reason for e in requirement.extras}
        else:
            packages[name] = reason
    return Exclusions(packages, extras)
