"""What a person's terminal shows: whole lines above one that is drawn again, and boxes."""

import os
import re
import textwrap
from collections.abc import Iterable
from datetime import timedelta
from typing import IO

_CLEAR = "\r\x1b[K"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_WIDEST = 120
_RED = "31"


def is_terminal(stream: IO[str]) -> bool:
    """Whether what is written there goes to a terminal that can clear a line."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def width(stream: IO[str]) -> int:
    """The terminal's columns; 80 where that is not known."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80


def write_lines(stream: IO[str], lines: Iterable[str]) -> None:
    """Write whole lines, in place of the line that a terminal draws again and again.

    In one write, so that the lines of processes that write at once stay whole.
    """
    start = _CLEAR if is_terminal(stream) else ""
    stream.write(start + "".join(f"{line}\n" for line in lines))
    stream.flush()


def draw(stream: IO[str], line: str) -> None:
    """Draw the terminal's last line in place of what stands there, cut to one line."""
    # a full last column would make some terminals begin another line
    room = width(stream) - 1
    stream.write(_CLEAR + (line if len(line) <= room else line[: room - 1] + "…"))
    stream.flush()


def clock(seconds: float) -> str:
    """A length of time as `0:31` or `1:02:03`."""
    return re.sub("^0:0?", "", str(timedelta(seconds=int(seconds))))


def red(text: str) -> str:
    """The text in red, unless the person wants no colours (NO_COLOR)."""
    return text if os.environ.get("NO_COLOR") else f"\x1b[{_RED}m{text}\x1b[0m"


def box(title: str, lines: Iterable[str], columns: int) -> list[str]:
    """Lines under a title and beside a rule, wrapped to so many columns, 120 at most.

    Open to the right: what is copied from it is what was said, and no wide letter breaks it.
    """
    columns = min(columns, _WIDEST)
    body = []
    for line in lines:
        plain = _CONTROL.sub("", line.expandtabs())
        text = plain.lstrip()
        indent = " " * min(len(plain) - len(text), columns // 2)
        body += textwrap.wrap(
            text, columns - 2, initial_indent=indent, subsequent_indent=indent
        ) or [""]
    return [
        red(f"╭─ {title} ".ljust(columns, "─")),
        *(f"{red('│')} {line}" for line in body),
        red("╰".ljust(columns, "─")),
    ]
