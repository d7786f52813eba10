"""A pydantic error in one line: file, key, value, and what would be right."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from snakedev.config.fields import PATTERNS, SECRET
from snakedev.config.model import Config


def one_of(value: object, known: Sequence[str]) -> str:
    """What would be right where a value is none of those that are known, closest first."""
    close = get_close_matches(str(value), known, n=1)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    return f"one of {', '.join(known)}{hint}"


def error_line(detail: Mapping[str, Any], model: type[BaseModel] = Config) -> str:
    """One pydantic error of a model as a line: key, value, what would be right."""
    # pydantic names the union member it tried; that is no key of the file
    where = ".".join(str(part) for part in detail["loc"] if not _is_union_tag(part))
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{where}: unknown key: {_known_keys(detail['loc'], model)}"
    if kind == "missing":
        return f"{where}: this key is missing"
    if kind == "string_pattern_mismatch":
        right = PATTERNS.get(context["pattern"], f"text that matches {context['pattern']}")
        return f"{where}: {value!r} is not {right}"
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"])
        return f"{where}: {value!r} is not allowed: {one_of(value, known)}"
    if kind == "tuple_type":
        return f"{where}: {value!r} is not a list: put it in brackets"
    if kind == "string_type":
        return f"{where}: {value!r} is not text: put it in quotes"
    message = detail["msg"].removeprefix("Value error, ")
    if kind == SECRET:
        return f"{where}: {message}"
    return f"{where}: {message} (found {value!r})"


def _is_union_tag(part: str | int) -> bool:
    return part in {"HubModel", "PackageModel"}


def _known_keys(location: Sequence[str | int], model: type[BaseModel]) -> str:
    """The keys that are allowed where an unknown one stands, closest first."""
    kind: Any = model
    for part in location[:-1]:
        kind = _below(kind, part)
    return one_of(location[-1], sorted(kind.model_fields))


def _below(kind: Any, part: str | int) -> Any:
    """The type of what stands under a key of a model, mapping, list or union."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _bare(kind.model_fields[str(part)].annotation)
    if get_origin(kind) is dict:
        return _bare(get_args(kind)[1])
    if get_origin(kind) is tuple:
        return _bare(get_args(kind)[0])
    return next(m for m in map(_bare, get_args(kind)) if m.__name__ == part)


def _bare(annotation: Any) -> Any:
    """An annotation without Annotated's extras and without `| None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        members = [member for member in get_args(annotation) if member is not NoneType]
        return _bare(members[0]) if len(members) == 1 else annotation
    return annotation
