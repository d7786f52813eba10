"""Which code makes an artifact: names are followed from the script of its rule.

A job runs its script, and of the package what that names; what is named there is followed in turn,
one function, class or constant after the other, and a program of snakedev/inside that is named by
its path is taken whole. So there are no holes, and no list to keep. To follow whole modules would
leave none either, and cry wolf: a record lies beside what makes it, so that who reads the record of
an environment would seem to depend on how environments are made.
"""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

BESIDE = {
    "snakedev/base/errors.py": "what is said when something fails",
    "snakedev/base/job.py": "how a job logs and fails",
    "snakedev/base/process.py": "how programs are started and stopped",
    "snakedev/base/records.py": "how records are written, whatever is in them",
    "snakedev/config/": "what is asked for; the spec has it",
    "snakedev/machine/buildlock.py": "which build waits for which",
    "snakedev/machine/fitness.py": "which machine is refused",
    "snakedev/machine/jobserver.py": "how many compilers run at once",
    "snakedev/machine/probe.py": "what the machine is; the spec has it",
    "snakedev/store/layout.py": "where artifacts lie",
    "snakedev/store/publish.py": "how they get there",
    "snakedev/store/spec.py": "what is in a key; another way of making it makes other keys",
}
"""What is not followed, with what it decides instead of what an artifact holds."""

_INSIDE = "snakedev/inside"
_DIGITS = 16

_Name = tuple[str, str | None]
"""A file, and a definition in it, or all of it."""


@dataclass(frozen=True)
class _Module:
    """The top level of a module."""

    definitions: dict[str, tuple[ast.stmt, ...]]
    """Functions, classes and constants."""
    statements: tuple[ast.stmt, ...]
    """What else runs when it is imported."""
    imported: dict[str, _Name]
    """What of the package it has under a name of its own."""


class Code:
    """The code of a project: scripts/ and snakedev/."""

    def __init__(self, project: Path):
        self._project = project
        self._module = cache(self._read)
        self._named_by = cache(self._find_named)

    def behind(self, script: str) -> dict[str, str]:
        """By file, a digest of what of it has a part in what a script makes, itself included.

        ``script`` is the name of one in scripts/, without its suffix.
        """
        todo: list[_Name] = [(f"scripts/{script}.py", None)]
        reached: set[_Name] = set()
        while todo:
            item = todo.pop()
            if item not in reached and not item[0].startswith(tuple(BESIDE)):
                reached.add(item)
                todo += self._named_in(*item)
        return {file: self._digest(file, reached) for file in sorted({file for file, _ in reached})}

    def _named_in(self, file: str, name: str | None) -> Iterator[_Name]:
        """What a definition names, or what a whole file does."""
        if not file.endswith(".py"):
            return
        module = self._module(file)
        if name is None:
            yield from ((file, each) for each in module.definitions)
        elif name in module.imported:
            yield module.imported[name]
        for root in (*module.statements, *module.definitions.get(name or "", ())):
            yield from self._named_by(root, file)

    def _find_named(self, root: ast.stmt, file: str) -> tuple[_Name, ...]:
        """What a piece of a file names."""
        module = self._module(file)
        named: list[_Name] = []
        for node in _nodes(root):
            if (path := _path_inside(node)) is not None:
                named += [(found, None) for found in self._files(path)]
            elif used := _used(node):
                name, attribute = used
                if name in module.imported:
                    there, definition = module.imported[name]
                    named.append((there, definition or attribute))
                elif name in module.definitions:
                    named.append((file, name))
        return tuple(named)

    def _digest(self, file: str, reached: set[_Name]) -> str:
        if not file.endswith(".py"):
            return _hashed((self._project / file).read_bytes())
        module = self._module(file)
        # in the order of their names: a definition may move within its module
        kept = [n for name, n in sorted(module.definitions.items()) if (file, name) in reached]
        return _hashed("".join(map(_dump, chain(*kept, module.statements))).encode())

    def _files(self, path: str) -> Iterator[str]:
        """A file, or those of a folder."""
        place = self._project / path
        for found in [place] if place.is_file() else place.rglob("*"):
            if found.is_file() and found.suffix != ".pyc":
                yield found.relative_to(self._project).as_posix()

    def _read(self, file: str) -> _Module:
        tree = ast.parse((self._project / file).read_bytes(), file)
        definitions: dict[str, tuple[ast.stmt, ...]] = {}
        statements: list[ast.stmt] = []
        for statement in tree.body:
            if isinstance(statement, ast.Import | ast.ImportFrom) or _runs_nothing(statement):
                continue
            names = [*_defined(statement)]
            for name in names:
                definitions[name] = (*definitions.get(name, ()), statement)
            if not names:
                statements.append(statement)
        imported: dict[str, _Name] = {}
        for node in ast.walk(tree):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if isinstance(node, ast.ImportFrom) and module.startswith("snakedev"):
                for alias in node.names:
                    imported[alias.asname or alias.name] = self._taken(module, alias.name)
        return _Module(definitions, tuple(statements), imported)

    def _taken(self, module: str, name: str) -> _Name:
        """What `from module import name` takes: a module, or what a module has under the name."""
        folder = module.replace(".", "/")
        for file in (f"{folder}/{name}.py", f"{folder}/{name}/__init__.py"):
            if (self._project / file).is_file():
                return file, None
        file = f"{folder}.py"
        return (file if (self._project / file).is_file() else f"{folder}/__init__.py"), name


def _hashed(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGITS]


def _defined(node: ast.stmt) -> Iterator[str]:
    """The names that a function, a class or an assignment gives something to."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            for part in ast.walk(target):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    yield part.id


def _nodes(root: ast.AST) -> Iterator[ast.AST]:
    """What a piece of code is made of, without annotations of functions, which run nothing."""
    if _runs_nothing(root):
        return
    yield root
    if _path_inside(root) is not None or _used(root) is not None:
        return
    for field, value in ast.iter_fields(root):
        if field == "returns" or (field == "annotation" and isinstance(root, ast.arg)):
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.AST):
                yield from _nodes(node)


def _runs_nothing(node: object) -> bool:
    """Whether it is a docstring, of whatever it stands behind, or `if TYPE_CHECKING:`."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return isinstance(node.value.value, str)
    return isinstance(node, ast.If) and _used(node.test) == ("TYPE_CHECKING", None)


def _used(node: ast.AST) -> tuple[str, str | None] | None:
    """A name, and an attribute of it that is asked for; None for other code."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        return node.id, None
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.value.id, node.attr
    return None


def _path_inside(node: ast.AST) -> str | None:
    """The path that `inside.FOLDER / "name"` stands for; None for other code."""
    if isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant):
        above = _path_inside(node.left)
        return above and f"{above}/{node.right.value!s}"
    return _INSIDE if _used(node) == ("inside", "FOLDER") else None


def _dump(node: ast.AST) -> str:
    """A syntax tree as text, without docstrings; the same on every version of Python."""
    # what is empty is left out: later Pythons have more such fields
    fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
    if isinstance(node, ast.Constant):
        fields = {"value": node.value}
    return f"{type(node).__name__}({','.join(f'{n}={_text(v)}' for n, v in fields.items())})"


def _text(value: object) -> str:
    if isinstance(value, list):
        return f"[{','.join(_text(each) for each in value if not _runs_nothing(each))}]"
    return _dump(value) if isinstance(value, ast.AST) else repr(value)
