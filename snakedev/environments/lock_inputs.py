"""The `.in` files that locks are compiled from: requirements of an index's packages, by line."""

import re
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from snakedev.base.errors import UserError

_INCLUDE = re.compile(r"^(?:-r|-c|--requirements?|--constraints?)[ =]\s*(\S+)$")
_INDEX_OPTIONS = ("--index-url", "--extra-index-url", "--find-links", "--no-index", "--index")
_ADDRESS = re.compile(r"\S*(://|@)\S*")
_FROM_SOURCE = (
    ": locks hold packages of an index by version and sha256; what is to be built from another "
    "source is a repo of config.yaml"
)


def unfit(file: Path, seen: frozenset[Path]) -> Iterator[str]:
    """What is wrong with the lines of a requirements file, and of those that it includes."""
    for line in requirement_lines(file):
        option = re.match(r"-[a-zA-Z]|--[a-z-]+", line)
        if include := _INCLUDE.match(line):
            included = (file.parent / include[1]).resolve()
            if included.is_file() and included not in seen:
                yield from unfit(included, seen | {included})
        elif option and option[0] in ("-i", "-f", *_INDEX_OPTIONS):
            # an address may hold a password
            yield (
                f"{file}: {option[0]}: indexes are set where uv and pip are told of them, such as "
                "UV_INDEX, and that of torch in registries.torch of config.yaml"
            )
        elif option and option[0] != "--hash":
            yield f"{file}: {option[0]}: only requirements, -r and -c stand in it{_FROM_SOURCE}"
        elif not option:
            try:
                requirement = Requirement(re.sub(r"(\s+--hash=\S+)*\s*\\?$", "", line))
            except InvalidRequirement:
                yield f"{file}: '{_ADDRESS.sub('…', line)}' is no requirement{_FROM_SOURCE}"
                continue
            if requirement.url:
                yield f"{file}: '{requirement.name}' is to come from an address{_FROM_SOURCE}"


def closure(file: Path, seen: frozenset[Path]) -> Iterator[str]:
    """The requirement lines of a file and of the files that it includes."""
    if not file.is_file():
        raise UserError(f"{file} is missing: it lists what a lock is compiled from")
    for line in requirement_lines(file):
        if include := _INCLUDE.match(line):
            included = (file.parent / include[1]).resolve()
            if included not in seen:
                yield line.split()[0]
                yield from closure(included, seen | {included})
        else:
            yield line


def requirement_lines(file: Path, indent: str = "") -> list[str]:
    """The lines of a requirements file without comments; those of hashes get ``indent``."""
    lines = (
        re.sub(r"(^|\s)#.*", "", line).strip() for line in file.read_text("utf-8").splitlines()
    )
    return [indent + line if line.startswith("--hash") else line for line in lines if line]
