"""Words for counts and lists in messages, and for variables."""

import re
from collections.abc import Sequence, Sized

_SHOWN = 5


def counted(items: Sized, name: str, plural: str) -> str:
    return f"{len(items)} {name}{'' if len(items) == 1 else plural}"


def shouted(name: str) -> str:
    """A name as part of a variable's: `FLASH_ATTENTION`."""
    return re.sub("[^A-Z0-9]", "_", name.upper())


def listed(files: Sequence[str]) -> str:
    verb = "is" if len(files) == 1 else "are"
    return f"{', '.join(first(files))} {verb}"


def first(items: Sequence[str]) -> list[str]:
    """The first few of a list, with a word on the rest."""
    more = len(items) - _SHOWN
    return [*items[:_SHOWN], *([f"{more} more"] if more > 0 else [])]
