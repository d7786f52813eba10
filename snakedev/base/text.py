"""Words for counts and lists in messages, and for variables."""

import re
from collections.abc import Sequence, Sized

_SHOWN = 5


def counted(items: Sized, name: str, ending: str = "s") -> str:
    """How many there are, as `1 commit` or `2 commits`; ``ending`` is that of the plural."""
    return f"{len(items)} {name}{'' if len(items) == 1 else ending}"


def shouted(name: str) -> str:
    """A name as part of a variable's: `FLASH_ATTENTION`."""
    return re.sub("[^A-Z0-9]", "_", name.upper())


def first_of(items: Sequence[str]) -> str:
    """The first few of a list, with a word on the rest, as `a, b, c, d, e, 3 more`."""
    more = len(items) - _SHOWN
    return ", ".join([*items[:_SHOWN], *([f"{more} more"] if more > 0 else [])])
