"""What the locks leave out on purpose: envs/exclusions.yaml, each entry with its reason.

Wheels that are built here ask for it in an extra, or not at all.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

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
# As wheels name extras.
_Extra = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class Exclusion(Record):
    """An entry of the file."""

    reason: _Said
    """Why it is left out."""
    without: _Said
    """What of vLLM does not work without it."""
    extra: _Extra | Literal[False] = False
    """The extra that a wheel built here has it in; False for none. An entry of the file that does
    not say has one of the package's own name."""
    asked_by: tuple[str, ...] = ()
    """Repos whose wheels ask for it, of those whose requirements no file beside the locks has."""

    @property
    def without_it(self) -> str:
        """What of vLLM does not work without it, and the extra of its wheel."""
        told = f"; vLLM's wheel here has it in the extra `{self.extra}`" if self.extra else ""
        return self.without + told


@dataclass(frozen=True)
class Exclusions:
    """Packages that no lock holds, and extras that no lock takes."""

    packages: Mapping[str, Exclusion]
    """By canonical name."""
    extras: Mapping[tuple[str, str], Exclusion]
    """By canonical names of package and extra."""

    @property
    def all(self) -> dict[str, Exclusion]:
        """Both, by `name` or `name[extra]`."""
        extras = {f"{name}[{extra}]": one for (name, extra), one in self.extras.items()}
        return {**self.packages, **extras}

    def of_wheel(self, repo: str, requirements: Iterable[str]) -> dict[str, str | None]:
        """The extra that a repo's wheel has each package (or `package[extra]`) in that it asks for
        and the locks leave out; None for one that is dropped. ``requirements`` are the repo's."""
        asked: set[str] = set()
        for requirement in map(Requirement, requirements):
            name = canonicalize_name(requirement.name)
            asked |= {name, *(f"{name}[{canonicalize_name(e)}]" for e in requirement.extras)}
        return {
            name: one.extra or None
            for name, one in sorted(self.all.items())
            if name in asked or repo in one.asked_by
        }


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
        name = canonicalize_name(requirement.name)
        without = sorted(map(canonicalize_name, requirement.extras))
        own_name = {"extra": "-".join([name, *without])}
        try:
            exclusion = Exclusion.model_validate(
                own_name | said if isinstance(said, dict) else said
            )
        except ValidationError as error:
            raise UserError(f"{path}: {key}: {_wanted(error)}") from None
        if without:
            extras |= {(name, extra): exclusion for extra in without}
        else:
            packages[name] = exclusion
    return packages, extras


def _wanted(error: ValidationError) -> str:
    """What an entry should say in place of what is wrong with it."""
    wrong = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
    if wrong == {"extra"}:
        return (
            "`extra` is the extra that wheels have it in: a name of lower-case letters, digits and "
            "dashes, or false for none"
        )
    if wrong == {"asked_by"}:
        return "`asked_by` is a list of repos whose wheels ask for it"
    return (
        "give it `reason` (why it is left out) and `without` (what of vLLM does not work without "
        "it), each a text, where needed `extra` and `asked_by`, and nothing else"
    )
