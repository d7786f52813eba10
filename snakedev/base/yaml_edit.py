"""Changing values in a YAML file that people write: all else stays as it is, byte for byte.

PyYAML says where each value stands in the text; nothing is written anew but the values themselves.
"""

import re
from collections.abc import Iterable, Mapping

import yaml

Place = tuple[str, ...]
"""The keys that lead to a value, from the outermost."""


def with_values(text: str, values: Mapping[Place, str]) -> str:
    """A YAML text with other values at places that hold plain ones.

    A value keeps its quotes, and gets some where it would else be no text. Raises KeyError for a
    place that is not there, or holds a list or a mapping.
    """
    marks = []
    root = yaml.compose(text, yaml.SafeLoader)
    for place, value in values.items():
        _, node = _found(root, place)
        if not isinstance(node, yaml.ScalarNode):
            raise KeyError(place)
        marks.append((node.start_mark.index, node.end_mark.index, _scalar(value, node.style)))
    for start, end, new in sorted(marks, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def without(text: str, places: Iterable[Place], *, kept: str | None = None) -> str:
    """A YAML text less the entries of block mappings at some places.

    ``kept`` leaves an entry's lines in as a comment, below that text. Raises KeyError for a place
    that is not there.
    """
    lines = text.splitlines(keepends=True)
    root = yaml.compose(text, yaml.SafeLoader)
    spans = []
    for place in places:
        key, value = _found(root, place)
        first, column = key.start_mark.line, key.start_mark.column
        spans.append((first, _end(value).line + 1, column))
    for first, last, column in sorted(spans, reverse=True):
        margin, told = " " * column, []
        if kept is not None:
            commented = [f"{margin}# {line[column:]}" for line in lines[first:last]]
            told = [f"{margin}# {kept}\n", *commented]
        lines[first:last] = told
    return "".join(lines)


def holds(text: str, place: Place) -> bool:
    """Whether a YAML text has something at a place."""
    try:
        _found(yaml.compose(text, yaml.SafeLoader), place)
    except KeyError:
        return False
    return True


def comments_in(text: str, place: Place) -> list[tuple[int, str]]:
    """The comments of the entry at a place, those right above it included, by line from 1."""
    key, value = _found(yaml.compose(text, yaml.SafeLoader), place)
    lines = text.splitlines()
    first = key.start_mark.line
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    found = []
    for number, line in enumerate(lines[first : _end(value).line + 1], first + 1):
        if match := re.match(r"\s*#\s*(.*)|.*?\s#\s*(.*)", line):
            found.append((number, match[1] or match[2] or ""))
    return found


def _found(root: yaml.Node | None, place: Place) -> tuple[yaml.Node, yaml.Node]:
    """The key and the value at a place."""
    key, node = root, root
    for name in place:
        entries = node.value if isinstance(node, yaml.MappingNode) else ()
        key, node = next(((k, v) for k, v in entries if k.value == name), (None, None))
        if node is None:
            raise KeyError(place)
    assert key is not None and node is not None
    return key, node


def _end(node: yaml.Node) -> yaml.Mark:
    """Where a value ends; PyYAML has that of a block where the next thing begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, yaml.MappingNode) else last)
    return node.end_mark


def _scalar(value: str, style: str | None) -> str:
    """A text as a YAML value in a style, or in quotes where it would be something else."""
    if style == "'":
        return "'" + value.replace("'", "''") + "'"
    plain = re.fullmatch(r"[\w][\w.+/-]*", value) and isinstance(yaml.safe_load(value), str)
    return value if style is None and plain else yaml.dump(value, default_style='"').strip()
