"""Reading and checking the configuration."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from snakedev.base.errors import UserError
from snakedev.base.yaml_file import read_yaml
from snakedev.config.explain import error_line
from snakedev.config.model import Config


def refuse_duplicates(paths: Sequence[Path]) -> None:
    """Read YAML files for keys that are given twice; raises UserError with both lines."""
    for path in paths:
        read_yaml(path)


def check(values: Mapping[str, Any], source: str = "config.yaml") -> Config:
    """Give a configuration its types; raises UserError with one line for each thing that is wrong.

    What keys ask of each other is the plan's to check (snakedev/plan/checks.py), once for each run.
    """
    try:
        return TypeAdapter(Config).validate_python(_plain(values))
    except ValidationError as error:
        lines = dict.fromkeys(error_line(detail) for detail in error.errors())
        raise UserError("\n".join(f"{source}: {line}" for line in lines)) from None


def restore_nulls(values: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Put null into a configuration where ``given``, what `--config` says, has YAML's words for it.

    Snakemake takes every word in a mapping for text, and `key=null` too.
    """
    for key, value in given.items():
        if isinstance(value, Mapping):
            restore_nulls(values[key], value)
        elif value in ("", "~", "null", "Null", "NULL"):
            values[key] = None


def _plain(values: Any) -> Any:
    """Ordinary dicts and lists (Snakemake hands over its own kinds)."""
    if isinstance(values, Mapping):
        return {key: _plain(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_plain(value) for value in values]
    return values
