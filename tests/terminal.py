"""A program at a terminal, and what a person sees there when it has ended."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_CLEAR = "\r\x1b[K"


@dataclass
class Seen:
    """What a program showed, and how it ended."""

    code: int
    raw: str

    @property
    def screen(self) -> list[str]:
        """The lines that are left: what was written since a line was cleared last, in no colour."""
        lines = _COLOURS.sub("", self.raw).replace("\r\n", "\n").split("\n")
        return [line.split(_CLEAR)[-1] for line in lines]


def at_a_terminal(command: Sequence[str | Path], folder: Path, columns: int = 80) -> Seen:
    """Run a program at a terminal with so many columns."""
    own, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    running = subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"TERM": "xterm"},
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    parts = []
    try:
        while part := os.read(own, 65536):
            parts.append(part)
    except OSError:
        pass  # the other end is closed
    os.close(own)
    return Seen(running.wait(), b"".join(parts).decode())
