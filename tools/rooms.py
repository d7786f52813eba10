"""The rooms of snakedev and the imports between them: `python -m tools.rooms` prints their figures.

tests/unit/test_rooms.py holds what is allowed.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from snakedev import ROOMS

PROJECT = Path(__file__).parents[1]
TOP_LEVEL = "snakedev"
"""The room of the files that lie in none: schemas and the package itself."""


@dataclass(frozen=True)
class Import:
    """An import of a module by another."""

    importer: str
    imported: str
    line: int


class House:
    """The modules of a project's package, by dotted name."""

    def __init__(self, project: Path = PROJECT):
        self.files: dict[str, Path] = {}
        for file in sorted(project.glob("snakedev/**/*.py")):
            name = ".".join(file.relative_to(project).with_suffix("").parts)
            self.files[name.removesuffix(".__init__")] = file

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """All imports that name one of the modules, those in functions and for types included."""
        return tuple(
            Import(importer, imported, line)
            for importer, file in self.files.items()
            for name, line in named(file)
            if (imported := self._module(name)) and imported != importer
        )

    def _module(self, name: str) -> str | None:
        """The module that is imported by a dotted name, which may go on into the module."""
        while name and name not in self.files:
            name = name.rpartition(".")[0]
        return name or None


def named(file: Path) -> Iterator[tuple[str, int]]:
    """The dotted names that a file imports, with their lines."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def room(module: str) -> str:
    """The room that a module of snakedev lies in."""
    _, *inner = module.split(".")
    return inner[0] if inner and inner[0] in ROOMS else TOP_LEVEL


def lines(file: Path) -> int:
    """How many lines a file has."""
    return len(file.read_text(encoding="utf-8").splitlines())


def figures(house: House) -> str:
    """A table: each room's files, lines, largest file, and the rooms that it imports."""
    rows = [("room", "files", "lines", "largest file", "imports")]
    arrows = {(room(one.importer), room(one.imported)) for one in house.imports}
    arrows = {(one, other) for one, other in arrows if one != other}
    for name in (*ROOMS, TOP_LEVEL):
        sizes = {m: lines(file) for m, file in house.files.items() if room(m) == name}
        largest = max(sizes, key=sizes.__getitem__)
        below = [other for other in ROOMS if (name, other) in arrows]
        rows.append(
            (
                *(name, str(len(sizes)), str(sum(sizes.values()))),
                f"{largest.removeprefix('snakedev.')} ({sizes[largest]})",
                f"{len(below)}: {', '.join(below)}" if below else "0",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    total = sum(map(lines, house.files.values()))
    return "\n".join(
        [*table, f"{len(house.files)} files, {total} lines, {len(arrows)} arrows between rooms"]
    )


if __name__ == "__main__":
    print(figures(House()))
