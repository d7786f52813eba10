"""Words for counts and lists in messages, and for variables."""

import re
from collections.abc import Sequence

_SHOWN = 5


def counted(count: int, word: str, plural: str | None = None) -> str:
    """So many of something: `1 file`, `2 files`; ``plural`` where an s is not enough."""
    return f"{count} {word if count == 1 else plural or f'{word}s'}"


def shouted(name: str) -> str:
    """A name as part of a variable's: `FLASH_ATTENTION`."""
    return re.sub("[^A-Z0-9]", "_", name.upper())


def first_of(items: Sequence[str]) -> str:
    """The first few of a list, with a word on the rest, as `a, b, c, d, e, 3 more`."""
    more = len(items) - _SHOWN
    return ", ".join([*items[:_SHOWN], *([f"{more} more"] if more > 0 else [])])
