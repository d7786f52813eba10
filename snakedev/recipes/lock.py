"""The table that ties recipe numbers to the code that they stand for.

A number in snakedev/recipes/recipe.py is part of a key; the code that makes the artifact is not, so
that an edited comment builds nothing. The table, recipes.lock.json beside this module, holds for
each number a digest of that code, and a test fails when the code has changed and the table has not.
Then raise the number, unless the artifacts come out the same, and run `python -m
snakedev.recipes.lock`.
"""

import ast
import hashlib
from pathlib import Path

from pydantic import RootModel

from snakedev.base.errors import UserError
from snakedev.base.records import Record, write_text
from snakedev.recipes.registry import RECIPE_NUMBERS, RECIPES

FILE = Path(__file__).with_name("recipes.lock.json")
# The modules whose code decides what an artifact holds, by what carries the number; what a wheel
# is built from and with has keys of its own.
_MODULES = {
    "source": ("sources/source", "sources/patch_file", "fetch/archive", "base/git"),
    "crates": ("sources/crates",),
    "environment": (
        "environments/environment",
        "environments/cuda_toolkit",
        "machine/driver_stub",
        "fetch/uv",
    ),
    "model": ("inference/model", "fetch/hub", "inside/convert_gguf"),
    "smoke": (
        "inference/smoke",
        "inference/engine",
        "inference/smoke_record",
        "environments/run_variables",
        "inside/answer",
        "inside/plugin/snakedev_probe",
    ),
    "gil": (
        "reports/gil/trial",
        "reports/gil/modules",
        "reports/gil/record",
        "reports/gil/extension_file",
        "environments/run_variables",
        "inside/import_recorder",
    ),
    "kernels": ("wheels/upstream_kernels", "fetch/archive"),
    "patches": (
        "reports/patches/trial",
        "reports/patches/record",
        "sources/patch_file",
        "sources/source",
        "base/git",
    ),
}
_WHEEL_MODULES = ("wheels/build", "wheels/variables", "machine/sandbox", "machine/sanitizer")
_RUST_MODULES = (*_WHEEL_MODULES, "sources/crates")


class Entry(Record):
    """A recipe number, and the code that it was last confirmed for."""

    number: int
    code: dict[str, str]
    """A digest of each module."""


class Table(RootModel[dict[str, Entry]]):
    """All recipe numbers: those of wheels by their recipe, as `wheel/vllm`, and the others."""


def current() -> Table:
    """The table as the code now is."""
    numbers = {
        f"wheel/{name}": (
            recipe.number,
            _RUST_MODULES if "rustc" in recipe.tools else _WHEEL_MODULES,
        )
        for name, recipe in RECIPES.items()
        if recipe.environment is not None
    }
    numbers |= {kind: (number, _MODULES[kind]) for kind, number in RECIPE_NUMBERS.items()}
    return Table(
        {
            name: Entry(number=number, code={module: _module(module) for module in modules})
            for name, (number, modules) in numbers.items()
        }
    )


def recorded() -> Table:
    """The committed table; an empty one when there is none."""
    return Table.model_validate_json(FILE.read_bytes()) if FILE.is_file() else Table({})


def write() -> None:
    """Write the table for the code and the numbers as they now are."""
    write_text(FILE, current().model_dump_json(indent=2) + "\n")


def check(committed: Table, present: Table) -> None:
    """Raise UserError with a line for each number whose code is not the one in the table."""
    lines = []
    for name, entry in present.root.items():
        known = committed.root.get(name)
        if known is None or known.number != entry.number:
            lines.append(f"{name}: number {entry.number} is not in {FILE.name}")
        elif changed := [m for m, code in entry.code.items() if known.code.get(m) != code]:
            files = ", ".join(f"snakedev/{module}.py" for module in changed)
            lines.append(
                f"{name}: {files} changed and number {entry.number} did not: raise it in "
                "snakedev/recipes/recipe.py, unless every artifact comes out the same"
            )
    lines += [f"{name}: no such number any more" for name in committed.root.keys() - present.root]
    if lines:
        raise UserError("\n".join([*lines, "then run `python -m snakedev.recipes.lock`"]))


def _module(name: str) -> str:
    return code_digest((FILE.parents[1] / f"{name}.py").read_text(encoding="utf-8"))


_DIGITS = 16


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_digest(source: str) -> str:
    """The digest of a module's text, the same on every version of Python; raises SyntaxError."""
    return hashlib.sha256(_dump(ast.parse(source)).encode()).hexdigest()[:_DIGITS]


def _dump(node: object) -> str:
    """A syntax tree as text. What is empty is left out: newer Pythons have more such fields."""
    if isinstance(node, list):
        return f"[{','.join(map(_dump, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
    if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = node.body[1:]
    if isinstance(node, ast.Constant):
        fields = {"value": node.value}
    inside = ",".join(f"{name}={_dump(value)}" for name, value in fields.items())
    return f"{type(node).__name__}({inside})"


if __name__ == "__main__":
    write()
