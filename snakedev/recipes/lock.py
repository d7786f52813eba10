"""The table that ties recipe numbers to the code that they stand for.

A number in snakedev/recipes is part of a key; the code that makes the artifact is not, so that an
edited comment builds nothing. The table, recipes.lock.json beside this module, holds for each
number a digest of that code, and a test fails when the code has changed and the table has not. Then
raise the number, unless the artifacts come out the same, and run `python -m snakedev.recipes.lock`.
"""

from pathlib import Path

from pydantic import RootModel

from snakedev.base.errors import UserError
from snakedev.base.records import Record, write_text
from snakedev.recipes.code import Code
from snakedev.recipes.registry import RECIPE_NUMBERS, RECIPES

FILE = Path(__file__).with_name("recipes.lock.json")
# What makes the artifacts of a number, where the script has another name.
_SCRIPTS = {"gil": "gil_trial", "patches": "patch_trial", "tests": "upstream_tests"}


class Entry(Record):
    """A recipe number, and the code that it was last confirmed for."""

    number: int
    code: dict[str, str]
    """By file, a digest of what of it makes the artifact."""


class Table(RootModel[dict[str, Entry]]):
    """All recipe numbers: those of wheels by their recipe, as `wheel/vllm`, and the others."""


def current() -> Table:
    """The table as the code now is."""
    code = Code(FILE.parents[2])
    wheel = code.behind("wheel")
    return Table(
        {
            f"wheel/{name}": Entry(number=recipe.number, code=wheel)
            for name, recipe in RECIPES.items()
            if recipe.environment is not None
        }
        | {
            kind: Entry(number=number, code=code.behind(_SCRIPTS.get(kind, kind)))
            for kind, number in RECIPE_NUMBERS.items()
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
        elif changed := [f for f, code in entry.code.items() if known.code.get(f) != code]:
            lines.append(
                f"{name}: {', '.join(changed)} changed and number {entry.number} did not: "
                "raise it in snakedev/recipes, unless every artifact comes out the same"
            )
    lines += [f"{name}: no such number any more" for name in committed.root.keys() - present.root]
    if lines:
        raise UserError("\n".join([*lines, "then run `python -m snakedev.recipes.lock`"]))


if __name__ == "__main__":
    write()
