"""What locks are compiled from: the lines of `.in` files, and what pinned sources ask for."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from snakedev.base.errors import UserError
from snakedev.config.fields import Purpose
from snakedev.config.source_facts import SourceFacts, facts_file
from snakedev.environments.exclusions import FILE as EXCLUSIONS_FILE
from snakedev.environments.exclusions import Exclusions

_INCLUDE = re.compile(r"^(?:-r|-c|--requirements?|--constraints?)[ =]\s*(\S+)$")
_INDEX_OPTIONS = ("--index-url", "--extra-index-url", "--find-links", "--no-index", "--index")
_ADDRESS = re.compile(r"\S*(://|@)\S*")
_FROM_SOURCE = (
    ": locks hold packages of an index by version and sha256; what is to be built from another "
    "source is a repo of config.yaml"
)


@dataclass(frozen=True)
class Line:
    """A line that a lock is compiled from."""

    place: str
    """Where it stands, for a reader."""
    text: str

    @property
    def package(self) -> str | None:
        """The canonical name of the package that it asks for; None for another kind of line."""
        requirement = _requirement(self.text)
        return canonicalize_name(requirement.name) if requirement else None


def all_facts(folder: Path) -> list[SourceFacts]:
    """What is known of pinned sources, as their files in ``folder`` say; raises UserError."""
    return [SourceFacts.read(file) for file in sorted(folder.glob(facts_file(Path(), "*").name))]


def asked_by_sources(
    facts: Iterable[SourceFacts],
    folder: Path,
    purpose: Purpose,
    variant: str | None,
    exclusions: Exclusions,
) -> list[Line]:
    """What pinned sources ask for, as a lock of a purpose and a variant answers it.

    Extras that ``exclusions`` names are left out. What runs or tests a variant has the torch that
    it was built with. Raises UserError for a requirement that no lock can answer.
    """
    if purpose == "tool" or variant is None:
        return []
    asked: list[Line] = []
    for one in facts:
        file = facts_file(folder, one.repo)
        build = [
            Line(f"{file} (build_requirements.{variant})", text)
            for text in one.build_requirements.get(variant, ())
        ]
        if purpose == "build":
            asked += build
        else:
            asked += [line for line in build if line.package == "torch"]
            asked += [
                Line(f"{file} (requirements.{variant})", text)
                for text in one.requirements.get(variant, ())
            ]
    return [_without(line, exclusions) for line in asked]


def _without(line: Line, exclusions: Exclusions) -> Line:
    requirement, name = Requirement(line.text), line.package
    assert name is not None
    if requirement.url and name not in exclusions.packages:
        raise UserError(
            f"{line.place}: '{requirement.name}' is to come from an address, and locks hold "
            f"packages of an index: name it in {EXCLUSIONS_FILE}, with what vLLM does without it"
        )
    extras = {e for e in requirement.extras if (name, canonicalize_name(e)) in exclusions.extras}
    if not extras:
        return line
    requirement.extras -= extras
    return Line(line.place, str(requirement))


def unfit(file: Path, seen: frozenset[Path]) -> Iterator[str]:
    """What is wrong with the lines of a requirements file, and of those that it includes."""
    for number, line in numbered_lines(file):
        place = f"{file}:{number}"
        option = re.match(r"-[a-zA-Z]|--[a-z-]+", line)
        if include := _INCLUDE.match(line):
            included = (file.parent / include[1]).resolve()
            if included.is_file() and included not in seen:
                yield from unfit(included, seen | {included})
        elif option and option[0] in ("-i", "-f", *_INDEX_OPTIONS):
            # an address may hold a password
            yield (
                f"{place}: {option[0]}: indexes are set where uv and pip are told of them, such as "
                "UV_INDEX, and that of torch in registries.torch of config.yaml"
            )
        elif option and option[0] != "--hash":
            yield f"{place}: {option[0]}: only requirements, -r and -c stand in it{_FROM_SOURCE}"
        elif not option:
            requirement = _requirement(line)
            if requirement is None:
                yield f"{place}: '{_ADDRESS.sub('…', line)}' is no requirement{_FROM_SOURCE}"
            elif requirement.url:
                yield f"{place}: '{requirement.name}' is to come from an address{_FROM_SOURCE}"


def closure(file: Path, seen: frozenset[Path]) -> Iterator[Line]:
    """The requirement lines of a file and of the files that it includes."""
    if not file.is_file():
        raise UserError(f"{file} is missing: it lists what a lock is compiled from")
    for number, line in numbered_lines(file):
        place = f"{file}:{number}"
        if include := _INCLUDE.match(line):
            included = (file.parent / include[1]).resolve()
            if included not in seen:
                yield Line(place, line.split()[0])
                yield from closure(included, seen | {included})
        else:
            yield Line(place, line)


def requirement_lines(file: Path, indent: str = "") -> list[str]:
    """The lines of a requirements file without comments; those of hashes get ``indent``."""
    lines = (line for _, line in numbered_lines(file))
    return [indent + line if line.startswith("--hash") else line for line in lines]


def numbered_lines(file: Path) -> Iterator[tuple[int, str]]:
    """The lines of a requirements file without comments, with their numbers."""
    for number, raw in enumerate(file.read_text("utf-8").splitlines(), 1):
        if line := re.sub(r"(^|\s)#.*", "", raw).strip():
            yield number, line


def asking_for(lines: Sequence[Line], text: str) -> list[Line]:
    """Those lines whose package a text names."""
    words = {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][\w.-]*\w|\w", text)}
    return [line for line in lines if line.package in words]


def _requirement(line: str) -> Requirement | None:
    """The requirement of a line, its hashes left out; None for another kind of line."""
    try:
        return Requirement(re.sub(r"(\s+--hash=\S+)*\s*\\?$", "", line))
    except InvalidRequirement:
        return None
