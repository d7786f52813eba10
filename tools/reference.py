"""The pages of docs/reference that are written: configuration, targets, records, rooms.

Run `python -m tools.reference` after a change of what they are written from: models, rules, the
Makefile, the rooms. A test keeps the pages current.
"""

import ast
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from snakedev import ROOMS
from snakedev.config.model import Config
from snakedev.schemas import MODELS, described

PROJECT = Path(__file__).parents[1]
FOLDER = PROJECT / "docs/reference"

_HEAD = "<!-- Written by `python -m tools.reference`. -->\n\n"
_PLAIN = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "mapping",
    "null": "null",
}
# a rule, down to the next one or to what is not indented
_RULE = re.compile(r"^( *)rule(?: (?P<name>\w+))?:\n(?P<body>(?:\1 +.*\n|\n)*)", re.MULTILINE)
_DOCSTRING = re.compile(r'"""(.*?)"""', re.DOTALL)
_NAME = re.compile(r'^ +name:\s+f"([^"]+)"', re.MULTILINE)
_MAKE = re.compile(
    r"^(?P<text>(?:^# .*\n)+)(?:^.*\?=.*\n|^export .*\n)*^(?P<name>[a-z0-9]+):", re.MULTILINE
)


def pages() -> dict[str, str]:
    """The written pages' contents by file name."""
    return {
        "config.md": _config(),
        "targets.md": _targets(),
        "records.md": _records(),
        "rooms.md": _rooms(),
    }


def rules() -> dict[str, list[tuple[str, str]]]:
    """The public targets by the file that has them: name (`edit_REPO` for one of each) and text."""
    found: dict[str, list[tuple[str, str]]] = {}
    for file in [PROJECT / "Snakefile", *sorted(PROJECT.glob("rules/*.smk"))]:
        for rule in _RULE.finditer(file.read_text(encoding="utf-8")):
            docstring, pattern = _DOCSTRING.search(rule["body"]), _NAME.search(rule["body"])
            name = rule["name"] or (pattern[1] if pattern else "")
            if docstring is None:
                continue
            name = re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), name)
            default = " The default." if "default_target: True" in rule["body"] else ""
            where = file.relative_to(PROJECT).as_posix()
            found.setdefault(where, []).append((name, _text(docstring[1]) + default))
    return found


def make_targets() -> dict[str, str]:
    """The Makefile's targets, each with the comment above it."""
    text = (PROJECT / "Makefile").read_text(encoding="utf-8")
    return {
        found["name"]: " ".join(found["text"].replace("# ", "").split())
        for found in _MAKE.finditer(text)
    }


def _targets() -> str:
    lines = ["# Targets", ""]
    lines += ["`snakemake --list-target-rules` prints the first list in a terminal.", ""]
    lines += ["## Of `snakemake`", ""]
    for targets in rules().values():
        lines += [f"- **`{name}`**: {_lower(text)}" for name, text in targets]
    lines += ["", "## Of `make`", ""]
    lines += [f"- **`{name}`**: {_lower(text)}" for name, text in make_targets().items()]
    return _page(lines)


def _config() -> str:
    schema = described(Config)
    scalars, sections = [], []
    for name, value in schema["properties"].items():
        whole = _resolve(value, schema)
        # one that maps names to plain values is said in a line
        plain = any("type" in inside for inside in whole.get("patternProperties", {}).values())
        if whole.get("type") == "object" and not plain:
            sections += _section(f"{name}", value, schema)
        else:
            scalars += _entry(name, value, schema)
    lines = [
        "# Configuration",
        "",
        "The keys of `config.yaml`, which says beside each why it has its value. An unknown key, a "
        "key given twice and a value of another type are errors. `snakemake --config origin=git` "
        "changes a key for one run, `--config 'variants={cuda: {kernels: upstream}}'` one inside "
        "others. Editors complete keys by "
        "[schemas/config.schema.json](../../schemas/config.schema.json).",
        "",
        "## General",
        "",
        *scalars,
        *sections,
    ]
    return _page(lines)


def _section(
    path: str, value: Mapping[str, Any], schema: Mapping[str, Any], kind: str = ""
) -> list[str]:
    """A heading for a mapping of config.yaml, its keys, and after them the mappings inside it."""
    whole = _resolve(value, schema)
    if patterns := whole.get("patternProperties"):
        (inside,) = patterns.values()
        kinds = inside.get("oneOf", [])
        return [
            line
            for one in kinds or [inside]
            # one of several kinds is told by its first key
            for kind in [f" with `{next(iter(_resolve(one, schema)['properties']))}`"]
            for line in _section(f"{path}.NAME", one, schema, kind if kinds else "")
        ]
    lines = ["", f"## `{path}`{kind}", "", *_paragraph(whole)]
    deeper = []
    for name, value in whole["properties"].items():
        below = _resolve(_without_null(value), schema)
        if below.get("type") == "array":
            item = _resolve(below["items"], schema) if "items" in below else {}
            if item.get("properties"):
                deeper += _section(f"{path}.{name}[]", below["items"], schema)
        elif below.get("properties"):
            deeper += _section(f"{path}.{name}", below, schema)
            continue
        lines += _entry(name, value, schema, name in whole.get("required", ()))
    return lines + deeper


def _records() -> str:
    lines = [
        "# Records",
        "",
        "The JSON files for other tools, each with a schema in `schemas/`. Beside everything that "
        "is made lies a record of this kind; what its fields hold is checked whenever it is read "
        "or written.",
    ]
    parts: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    for name, model in MODELS.items():
        if model is Config:
            continue
        schema = described(model)
        lines += ["", f"## `{name}`", "", *_paragraph(schema)]
        lines += [f"[Its schema](../../schemas/{name}.schema.json)", ""]
        lines += _fields(schema, schema)
        parts |= {part: (inside, schema) for part, inside in schema.get("$defs", {}).items()}
    lines += ["", "## Parts of records"]
    for part, (inside, schema) in sorted(parts.items()):
        lines += ["", f"### `{part}`", "", *_paragraph(inside), "", *_fields(inside, schema)]
    return _page(lines)


def _fields(inside: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    return [
        line
        for name, value in inside.get("properties", {}).items()
        for line in _entry(name, value, schema, linked=True)
    ]


def _entry(
    name: str,
    value: Mapping[str, Any],
    schema: Mapping[str, Any],
    required: bool = False,
    linked: bool = False,
) -> list[str]:
    """A key or field as an item of a list: its type, its default, what it means."""
    kind = _kind(value, schema, linked)
    if required:
        kind += ", needed"
    elif "default" in value and not linked:
        kind += f", default `{json.dumps(value['default'])}`"
    text = _text(value.get("description", ""))
    return [f"- **`{name}`** ({kind}){': ' if text else ''}{text}"]


def _kind(value: Mapping[str, Any], schema: Mapping[str, Any], linked: bool) -> str:
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        of_enum = "enum" in schema["$defs"][name]
        return f"[{name}](#{name.lower()})" if linked and not of_enum else "mapping"
    if choices := value.get("enum", [value["const"]] if "const" in value else None):
        return _either(f"`{choice}`" for choice in choices)
    if members := value.get("anyOf", value.get("oneOf")):
        return _either(dict.fromkeys(_kind(member, schema, linked) for member in members))
    if value.get("type") == "array":
        return f"list of {_kind(value['items'], schema, linked)}" if "items" in value else "list"
    if isinstance(below := value.get("additionalProperties"), Mapping):
        return f"mapping to {_kind(below, schema, linked)}"
    if value.get("format") == "path":
        return "path"
    return _PLAIN.get(value.get("type", ""), "anything")


def _rooms() -> str:
    lines = [
        "# Rooms",
        "",
        "The folders of the package `snakedev/`. A room imports only from those above it; a test "
        "holds that, and `python -m tools.rooms` prints their sizes and imports.",
        "",
    ]
    for room in ROOMS:
        text = ast.get_docstring(ast.parse((PROJECT / f"snakedev/{room}/__init__.py").read_text()))
        lines += [f"- **`{room}`**: {_lower(_text(text or ''))}"]
    return _page(lines)


def _resolve(value: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return schema["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else value


def _without_null(value: Mapping[str, Any]) -> Mapping[str, Any]:
    members = [member for member in value.get("anyOf", ()) if member.get("type") != "null"]
    return members[0] if len(members) == 1 else value


def _paragraph(schema: Mapping[str, Any]) -> list[str]:
    text = _text(schema.get("description", ""))
    return [text, ""] if text else []


def _text(said: str) -> str:
    """A docstring's text as Markdown: in one line, and what stands in <> as code."""
    line = " ".join(said.split()).replace("``", "`")
    return re.sub(r"(?<!`)(?<=\s)[^\s`]*<\w+>(?:[^\s`,;]*[^\s`,;.])?", r"`\g<0>`", line)


def _either(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _page(lines: list[str]) -> str:
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    return _HEAD + text.strip() + "\n"


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
