"""One run at a time in a results folder."""

import errno
import os
import secrets
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.file_lock import take


class RunLock:
    """One run at a time in a results folder, by a kernel lock that ends with its process.

    Snakemake's own lock outlives a killed run and must then be taken away by hand; this one
    does not, so the profile switches Snakemake's off.
    """

    def __init__(self, root: Path):
        self._path = root / ".run.lock"
        self.name = secrets.token_hex(8)
        """The run's name, which no other has: what must be done anew each time goes by it."""

    def acquire(self) -> None:
        """Take the lock for the rest of the process; raises UserError when another run has it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a+")
        if not take(self._file):
            self._file.seek(0)
            owner = self._file.read().strip() or "unknown"
            raise UserError(
                f"another run (process {owner}) is at work in {self._path.parent.absolute()}: "
                "wait for it, or stop it"
            )
        self._file.truncate(0)
        try:
            self._file.write(f"{os.getpid()}\n")
            self._file.flush()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            # the lock holds without; what needs room has looked for it
