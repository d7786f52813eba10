"""Records: the small JSON files that say what an artifact is and how it was made.

Every kind is a pydantic model derived from :class:`Record`; the models of one job live in that
job's module. snakedev/schemas.py writes the JSON schemas of those that other tools read.
"""

import os
import tempfile
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from snakedev.base.errors import UserError


class Record(BaseModel):
    """A frozen, strictly validated JSON document."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Load a record; raises UserError that names the file when it is not of this kind."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise UserError(f"{path}: no such record ({cls.__name__})") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise UserError(f"{path}: not a {cls.__name__}: {where}: {first['msg']}") from None

    def write(self, path: Path) -> None:
        """Write the record in one step: a reader sees the old file or this one, never half."""
        write_text(path, self.model_dump_json(indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace a text file in one step, making its folder where needed."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file in one step, making its folder where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(scratch, 0o644)
        os.replace(scratch, path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
