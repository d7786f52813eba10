"""The packages that the free-threading effort tracks: envs/tracked.yaml."""

from pathlib import Path
from typing import Annotated

from packaging.utils import canonicalize_name, is_normalized_name
from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from snakedev.base.errors import UserError
from snakedev.base.records import Record
from snakedev.base.yaml_file import read_yaml

FILE = "tracked.yaml"


def _normalized(name: str) -> str:
    if not is_normalized_name(name):
        raise ValueError(f"the index calls it '{canonicalize_name(name)}'")
    return name


class Tracked(Record):
    """A package of the file."""

    name: Annotated[str, StringConstraints(min_length=1)]
    """As people call it."""
    project: Annotated[str, AfterValidator(_normalized)]
    """What the package index calls it, or would call it."""
    repo: str | None = None
    """The repo of config.yaml that brings it into vLLM's own wheel, if one does."""
    reason: str | None = None
    """Why it is not here, where neither the exclusions nor a repo say so."""
    without: Annotated[str, StringConstraints(min_length=1)]
    """What of vLLM does not work without it."""
    note: str = ""
    """What else is known of it: how far it has come here, and what it takes."""


class _File(Record):
    packages: Annotated[tuple[Tracked, ...], Field(min_length=1)]


def read_tracked(folder: Path) -> tuple[Tracked, ...]:
    """Read tracked.yaml; raises UserError that names the file and the entry at fault."""
    path = folder / FILE
    try:
        return _File.model_validate({"packages": read_yaml(path)}).packages
    except FileNotFoundError:
        raise UserError(f"{path} is missing: it lists the packages that are tracked") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "the file"
        raise UserError(
            f"{path}: {where}: {first['msg'].removeprefix('Value error, ')} (the entries are a "
            "list, numbered from 0, each with name, project and without, and if need be repo, "
            "reason and note)"
        ) from None
