"""The store: keyed folders that are written once, whole, and never changed.

A job fills a scratch folder beside the final place and publishes it by one rename, which network
disks do in one step too. Two jobs may race for one key: the first rename wins, and the other
finds the artifact there and is done. Several people may share a store: what is published there
can be read by whom the store's own permissions admit, whatever the writer's umask.
"""

import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

from snakedev.base import file_lock
from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.records import Record, write_text
from snakedev.store.layout import Layout
from snakedev.store.spec import Spec

_SCRATCH = ".scratch-"
_DOOMED = ".doomed-"
R = TypeVar("R", bound=Record)


def prepare(store: Path) -> None:
    """Have the folder of a store that is set in config.yaml.

    Raises UserError when it cannot be made or written into. Its parent folder is never made: it
    may be where a disk should be mounted.
    """
    if not store.parent.is_dir():
        raise UserError(
            f"store: there is no folder {store.parent} to have {store.name} in: mount the disk "
            "that it is on, or make it"
        )
    try:
        store.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=store):
            pass
    except FileExistsError:
        raise UserError(f"store: {store} is a file: name a folder") from None
    except OSError as error:
        raise UserError(
            f"store: cannot write into {store} ({error.strerror}): have its owner permit it, or "
            "name another folder"
        ) from None


@contextmanager
def shown(stamp: Path) -> Iterator[None]:
    """While a view is written: have its stamp when the block ends without an exception.

    The stamps of all other keys go first, so that a killed job leaves none that is not true.
    """
    drop_others(stamp)
    yield
    write_text(stamp, "{}\n")


def drop_others(stamp: Path) -> None:
    """Remove the other stamps of a view: it shows one key."""
    for other in stamp.parent.glob("*.json"):
        if other != stamp:
            other.unlink(missing_ok=True)


@contextmanager
def scratch_in(parent: Path) -> Iterator[Path]:
    """Yield an empty folder in ``parent`` that is gone when the block ends, however it ends.

    What killed runs have left of theirs goes first.
    """
    make_folder(parent)
    _sweep(parent)
    prefix = f"{_SCRATCH}{_host()}-{os.getpid()}-"
    scratch = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def found(record: Path, kind: type[R], running: Job) -> R | None:
    """The record of a keyed artifact that is there already, whoever made it; None where none is.

    An artifact whose record cannot be read, as after a power failure, is removed.
    """
    if not record.is_file():
        return None
    try:
        known = kind.read(record)
    except UserError as error:
        running.say(f"damaged: {error}: made anew")
        remove(record.parent)
        return None
    running.say("found in the store")
    return known


@contextmanager
def made_once(layout: Layout, spec: Spec, kind: type[R], running: Job) -> Iterator[R | None]:
    """Yield the record of a keyed artifact; None where there is none: then the block makes it.

    It is the only one at it in this results folder meanwhile: a job on another machine may outlive
    the run that began it.
    """
    record = layout.folder(spec) / spec.record_name
    if known := found(record, kind, running):
        yield known
        return
    waiting = "waiting for another job that makes it"
    with file_lock.held(layout.lock(spec), lambda: running.say(waiting)):
        yield found(record, kind, running)


def remove(folder: Path) -> None:
    """Take a keyed artifact out of the store."""
    # out of the way first, so that a killed removal leaves no half of an artifact
    doomed = folder.with_name(f"{_DOOMED}{folder.name}")
    folder.rename(doomed)
    shutil.rmtree(doomed)


def refuse_damaged(folder: Path, what: str) -> NoReturn:
    """Take a damaged artifact out of the store; raises UserError that says so.

    ``what`` names what of it is not as it was published.
    """
    try:
        remove(folder)
    except OSError as error:
        raise UserError(
            f"{folder} is damaged ({what}) and cannot be removed ({error.strerror}): have its "
            "owner remove it"
        ) from None
    raise UserError(
        f"{folder} was damaged ({what}) and is removed: run the same again to have it made anew"
    )


@contextmanager
def published(final: Path) -> Iterator[Path]:
    """Yield a scratch folder that becomes ``final`` when the block ends without an exception.

    An exception leaves nothing behind. Where ``final`` exists by then, the scratch folder is
    dropped and the published one stays as it is.
    """
    with scratch_in(final.parent) as scratch:
        yield scratch
        _admit(scratch, stat.S_IMODE(final.parent.stat().st_mode))
        try:
            os.rename(scratch, final)
        except OSError:
            if not final.is_dir():
                raise


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, each as open to others as the one that it lies in."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _open_folder(folder, stat.S_IMODE(folder.parent.stat().st_mode))


def _open_folder(folder: Path, mode: int) -> None:
    """Let others into a folder whom ``mode`` admits; one of somebody else's is left alone."""
    present = stat.S_IMODE(folder.stat().st_mode)
    wanted = present | (mode & (stat.S_IRWXG | stat.S_IRWXO))
    if wanted != present and folder.stat().st_uid == os.geteuid():
        folder.chmod(wanted)


def _admit(folder: Path, mode: int) -> None:
    """Let those read a folder's files whom ``mode``, that of a folder, admits."""
    readers = mode & (stat.S_IRGRP | stat.S_IROTH)
    for place, _, names in os.walk(folder):
        _open_folder(Path(place), mode)
        for name in names:
            path = os.path.join(place, name)
            status = os.lstat(path)
            # programs are for others too
            runners = readers >> 2 if status.st_mode & stat.S_IXUSR else 0
            wanted = stat.S_IMODE(status.st_mode) | readers | runners
            if stat.S_ISREG(status.st_mode) and wanted != stat.S_IMODE(status.st_mode):
                os.chmod(path, wanted)


def _host() -> str:
    """This machine, as scratch folders name it: a store on a network disk holds those of others.

    Containers may share a host's name, but each knows only its own processes.
    """
    return f"{socket.gethostname()}.{os.stat('/proc/self/ns/pid').st_ino}"


def _sweep(folder: Path) -> None:
    """Drop scratch folders whose process on this machine is gone (a killed run's leftovers)."""
    for scratch in folder.glob(f"{_SCRATCH}*"):
        owner, _, _ = scratch.name.removeprefix(_SCRATCH).rpartition("-")
        host, _, pid = owner.rpartition("-")
        if host == _host() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(scratch, ignore_errors=True)
