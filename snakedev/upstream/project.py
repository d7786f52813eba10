"""patches/NAME/upstream.yaml: where a repo's patches go, and what its project asks of them."""

import re
from pathlib import Path

from pydantic import Field, ValidationError, field_validator

from snakedev.base.errors import UserError
from snakedev.base.records import Record
from snakedev.base.yaml_file import read_yaml
from snakedev.config.explain import error_line
from snakedev.sources.patch_file import UPSTREAM


class Project(Record):
    """An upstream project, as far as sending it a patch goes."""

    url: str = Field(min_length=1)
    """Its git repository."""
    branch: str | None = None
    """The branch that patches are for; None for the one that is checked out by default."""
    folder: str | None = None
    """The folder of the source that its files are in, where the source has more: a submodule's."""
    paths: dict[str, str] = {}
    """Where files lie in its repository, by where they lie in a source that is no tree of it, such
    as a wheel: beginnings of paths, of which the longest counts."""
    sign_off: bool = False
    """Whether each commit needs a Signed-off-by line (the DCO)."""
    title: str | None = None
    """A regular expression that a pull request's title begins with."""
    tested: tuple[str, ...] = ()
    """Where a change wants a test: paths begin with one of these."""
    tests: tuple[str, ...] = ()
    """Where its tests are."""
    remember: tuple[str, ...] = ()
    """What else its rules ask of a person, a line each."""

    @field_validator("title")
    @classmethod
    def _is_a_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return value


def read_project(patches: Path) -> Project | None:
    """What the folder of a repo's patches says of its upstream; None where it says nothing.

    Raises UserError with a line for each thing that is wrong in it.
    """
    path = patches / UPSTREAM
    if not path.is_file():
        return None
    try:
        return Project.model_validate(read_yaml(path) or {})
    except ValidationError as error:
        lines = [f"{path}: {error_line(one, Project)}" for one in error.errors()]
        raise UserError("\n".join(lines)) from None
