"""The store: keyed folders that are written once, whole, and never changed.

A job fills a scratch folder beside the final place and publishes it by one rename. Two jobs may
race for one key: the first rename wins, and the other finds the artifact there and is done.
"""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch_in(parent: Path) -> Iterator[Path]:
    """Yield an empty folder in ``parent`` that is gone when the block ends, however it ends.

    What killed runs have left of theirs goes first.
    """
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(parent)
    scratch = Path(tempfile.mkdtemp(dir=parent, prefix=f"{_scratch_prefix()}{os.getpid()}-"))
    os.chmod(scratch, 0o755)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def published(final: Path) -> Iterator[Path]:
    """Yield a scratch folder that becomes ``final`` when the block ends without an exception.

    An exception leaves nothing behind. Where ``final`` exists by then, the scratch folder is
    dropped and the published one stays as it is.
    """
    with scratch_in(final.parent) as scratch:
        yield scratch
        try:
            os.rename(scratch, final)
        except OSError:
            if not final.is_dir():
                raise


def _scratch_prefix() -> str:
    """The host is in the name: a store on a network disk holds other machines' scratch too."""
    return f".scratch-{socket.gethostname()}-"


def _sweep(folder: Path) -> None:
    """Drop scratch folders whose process on this machine is gone (a killed run's leftovers)."""
    prefix = _scratch_prefix()
    for scratch in folder.glob(f"{prefix}*"):
        pid = scratch.name.removeprefix(prefix).split("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(scratch, ignore_errors=True)
