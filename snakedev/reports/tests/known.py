"""Differences that are known: a file that says which tests fail here, and why."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from snakedev.base.errors import UserError
from snakedev.base.records import Record
from snakedev.base.yaml_file import read_yaml
from snakedev.config.upstream_tests import Column

_Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Known(Record):
    """What is known of a test that fails here."""

    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    """Where it fails."""
    reason: _Said
    finding: str | None = None
    """The page beside the file that tells more."""
    sometimes: bool = False
    """Whether it passes now and then, as what happens in threads does."""


def read_known(file: Path) -> dict[str, dict[str, Known]]:
    """Read what is known of each repo's tests; nothing where there is no file.

    Raises UserError with the entry that is wrong.
    """
    if not file.is_file():
        return {}
    found: dict[str, dict[str, Known]] = {}
    for repo, tests in (read_yaml(file) or {}).items():
        if not isinstance(tests, Mapping):
            raise UserError(f"{file}: {repo}: not a mapping of tests to what is known of them")
        for test, said in tests.items():
            try:
                known = Known.model_validate(said)
            except ValidationError as error:
                where = ".".join(map(str, error.errors()[0]["loc"]))
                raise UserError(
                    f"{file}: {repo}: {test}: {where or 'it'} is wrong: give it `columns` (of "
                    "stock, gil, free, threads) and `reason`, and where there is one `finding`, a "
                    "page beside the file"
                ) from None
            if known.finding and not (file.parent / known.finding).is_file():
                raise UserError(f"{file}: {repo}: {test}: finding: there is no {known.finding}")
            found.setdefault(str(repo), {})[str(test)] = known
    return found
