"""Locks of files, kept by the kernel: a lock ends with its process, however that ends."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def take(file: IO[str]) -> bool:
    """Take an open file's lock until it is closed; False where another process holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def held(path: Path, before_waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a file's lock, once no other process does; the file and its folder are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        if not take(file):
            before_waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
