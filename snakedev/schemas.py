"""JSON schemas of what people edit and other tools read, in schemas/: each has an entry in MODELS.

Run `python -m snakedev.schemas` after a change of a model; a test keeps the files current.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from snakedev.config.model import Config
from snakedev.images.image import ImageRecord
from snakedev.inference.smoke_record import SmokeRecord
from snakedev.reports.bench.page import BenchReportRecord
from snakedev.reports.bump.record import BumpRecord
from snakedev.reports.compat.page import CompatReportRecord
from snakedev.reports.gil.page import GilReportRecord
from snakedev.reports.patches.page import PatchReportRecord
from snakedev.reports.tests.page import TestsReportRecord
from snakedev.wheels.record import WheelRecord

FOLDER = Path(__file__).parents[1] / "schemas"
MODELS: dict[str, type[BaseModel]] = {
    # config.yaml, which editors check while it is written
    "config": Config,
    # wheel.json beside each wheel: what it was built from and how
    "wheel": WheelRecord,
    # image.json beside each container image: its layers
    "image": ImageRecord,
    # results/smoke/VARIANT/MODEL.json: answers, timings, GIL state and versions of a smoke run
    "smoke": SmokeRecord,
    # results/reports/NAME.json: what the page of the name shows, as data
    "bench": BenchReportRecord,
    "bump": BumpRecord,
    "compat": CompatReportRecord,
    "gil": GilReportRecord,
    "patches": PatchReportRecord,
    "tests": TestsReportRecord,
}


def texts() -> dict[str, str]:
    """The schema files' contents by file name."""
    return {
        f"{name}.schema.json": json.dumps(described(model), indent=2) + "\n"
        for name, model in MODELS.items()
    }


def described(model: type[BaseModel]) -> dict[str, Any]:
    """A model's schema, with the texts below its fields as descriptions.

    pydantic can read them itself as a class is defined; every plan would wait for that.
    """
    return model.model_json_schema(schema_generator=_Documented)


class _Documented(GenerateJsonSchema):
    """The schema with the texts below the fields of each model."""

    def model_schema(self, schema: Any) -> dict[str, Any]:
        made = super().model_schema(schema)
        for name, text in _texts(schema["cls"]):
            if name in made.get("properties", {}):
                made["properties"][name].setdefault("description", text)
        return made


@cache
def _texts(model: type[BaseModel]) -> tuple[tuple[str, str], ...]:
    """The fields of a model that have a text below them, with it."""
    return tuple(
        pair
        for base in model.__mro__
        if issubclass(base, BaseModel) and base is not BaseModel
        for pair in _texts_in(textwrap.dedent(inspect.getsource(base)))
    )


def _texts_in(source: str) -> Iterator[tuple[str, str]]:
    (made,) = ast.parse(source).body
    assert isinstance(made, ast.ClassDef)
    for field, text in zip(made.body, made.body[1:], strict=False):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(said))),
            ):
                yield name, inspect.cleandoc(said)


if __name__ == "__main__":
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
