"""Unpacking source archives without trusting them."""

import errno
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from snakedev.base.errors import UserError
from snakedev.base.text import first_of

# zipfile says by a RuntimeError that it cannot decrypt or decompress a member
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    ValueError,
)
_LOOKED_AT = 8000
"""Bytes from which git tells text from other files."""
_IN_THE_WAY = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a source archive (.tar.* or .zip) into a folder, its one top-level folder stripped.

    What Apple's programs put beside that is left out. Raises UserError, naming the member, for a
    path or a link that leads out of the folder, for a device file, and for an archive without a
    single top-level folder.
    """
    with _told(archive):
        if tarfile.is_tarfile(archive):
            _unpack_tar(archive, folder)
            return
        if not zipfile.is_zipfile(archive):
            raise tarfile.ReadError("neither tar (plain, gz, bz2, xz) nor zip")
    with _opened(archive) as (whole, members):
        top = _top(archive, {path.parts: member.is_dir() for path, member in members.items()})
        for path, member in members.items():
            if path.parts[:1] == (top,):
                with _naming(str(path)):
                    _extract(whole, member, folder / path.relative_to(top))


def _unpack_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as tar:
        members = [(_parts(member.name), member) for member in tar.getmembers()]
        top = _top(archive, {parts: member.isdir() for parts, member in members})
        folder.mkdir(parents=True, exist_ok=True)
        for parts, member in members:
            if parts[:1] != (top,) or len(parts) == 1:
                continue
            if member.islnk():
                # a hard link names its target from the archive's root
                target = _parts(member.linkname)
                inner = target[1:] if target[:1] == (top,) else target
                member = member.replace(linkname="/".join(inner))
            # times and owners are not part of a source; 'data' refuses what leads outside
            inside = "/".join(parts[1:])
            with _naming(inside):
                tar.extract(member.replace(name=inside), folder, filter="data")


def _parts(name: str) -> tuple[str, ...]:
    """The parts of a member's path from the archive's root, whichever way that is written."""
    return PurePosixPath(name.lstrip("/")).parts


def _top(archive: Path, members: Mapping[tuple[str, ...], bool]) -> str:
    """The one top-level folder, of members' parts with whether each is a folder."""
    tops = {parts[0] for parts in members if parts and not _beside_sources(parts[0])}
    if len(tops) != 1:
        names = f" ({first_of(sorted(tops))})" if tops else ""
        raise UserError(
            f"{archive.name}: it has {len(tops)} top-level entries{names}, and a source archive "
            f"has one folder that holds all"
        )
    (top,) = tops
    if not any(
        parts[0] == top and (len(parts) > 1 or members[parts]) for parts in members if parts
    ):
        raise UserError(f"{archive.name}: its one top-level entry, {top}, is no folder")
    return top


def _beside_sources(name: str) -> bool:
    """Whether an archiver adds a top-level entry of this name: Apple's, or old tar's for git's."""
    return name.startswith("._") or name in ("__MACOSX", ".DS_Store", "pax_global_header")


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Have what the file system refuses of a member say which it is."""
    try:
        yield
    except KeyError:
        raise tarfile.FilterError(f"'{name}' is a hard link to nothing") from None
    except OSError as error:
        if error.errno in _IN_THE_WAY:
            raise tarfile.FilterError(f"'{name}': {error.strerror}") from None
        raise


@contextmanager
def _told(archive: Path) -> Iterator[None]:
    """Raise UserError, in one line, for an archive that is refused or broken."""
    try:
        yield
    except tarfile.FilterError as error:
        raise UserError(f"{archive.name}: refused: {error}") from None
    except _BROKEN as error:
        raise UserError(f"{archive.name}: not a readable archive: {_line(error)}") from None
    except OSError as error:
        # gzip and bz2 say by one without a number that there is something else
        if error.errno is not None:
            raise
        raise UserError(f"{archive.name}: not a readable archive: {_line(error)}") from None


def _line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def unpack_folder(archive: Path, inner: str, folder: Path) -> None:
    """Unpack what one folder of a zip archive, such as a wheel, holds into a folder.

    Raises UserError, naming the member, for a path that leads out of the archive's root and for
    anything but a file or a folder, wherever in the archive it stands; and for an archive without
    files in the folder.
    """
    with _opened(archive) as (whole, members):
        inside = [path for path in members if PurePosixPath(inner) in path.parents]
        if not inside:
            raise UserError(
                f"{archive.name}: release.folder: there is no folder '{inner}' in it: "
                f"{_beside(members, inner)}"
            )
        for path in inside:
            _extract(whole, members[path], folder / path.relative_to(inner))


def unpack_text(archive: Path, folder: Path) -> None:
    """Unpack the text files of a zip archive, such as a wheel, into a folder.

    Raises UserError for an unsafe archive, as unpack_folder does.
    """
    with _opened(archive) as (whole, members):
        for path, member in members.items():
            with whole.open(member) as file:
                text = is_text(file)
            if text and not member.is_dir():
                _extract(whole, member, folder / path)


def is_text(file: IO[bytes]) -> bool:
    """Whether a file, opened at its beginning, is text, as git tells it."""
    return b"\0" not in file.read(_LOOKED_AT)


def unpack_some(archive: Path, wanted: Callable[[str], bool], folder: Path) -> None:
    """Unpack those members of a zip archive, such as a wheel, whose path is wanted.

    Raises UserError for an unsafe archive, as unpack_folder does.
    """
    with _opened(archive) as (whole, members):
        for path, member in members.items():
            if wanted(str(path)):
                _extract(whole, member, folder / path)


@contextmanager
def _opened(
    archive: Path,
) -> Iterator[tuple[zipfile.ZipFile, dict[PurePosixPath, zipfile.ZipInfo]]]:
    """A zip archive and its members by path; raises UserError where it is unsafe or broken."""
    with _told(archive), zipfile.ZipFile(archive) as whole:
        members = {PurePosixPath(member.filename): member for member in whole.infolist()}
        for path, member in members.items():
            _refuse_unsafe(archive, path, member)
        yield whole, members


def _refuse_unsafe(archive: Path, path: PurePosixPath, member: zipfile.ZipInfo) -> None:
    if path.is_absolute() or ".." in path.parts:
        raise UserError(f"{archive.name}: refused: '{path}' leads outside")
    if stat.S_IFMT(_mode(member)) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UserError(f"{archive.name}: refused: '{path}' is neither a file nor a folder")


def _extract(whole: zipfile.ZipFile, member: zipfile.ZipInfo, place: Path) -> None:
    if member.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with whole.open(member) as packed, place.open("wb") as file:
        shutil.copyfileobj(packed, file)
    place.chmod(0o755 if _mode(member) & stat.S_IXUSR else 0o644)


def _mode(member: zipfile.ZipInfo) -> int:
    """A member's type and permissions, as on Unix; 0 where the archive has none."""
    return member.external_attr >> 16


def _beside(members: Iterable[PurePosixPath], inner: str) -> str:
    """What there is instead of a folder: the folders in the nearest folder above it."""
    folders = {parent for path in members for parent in path.parents}
    root = PurePosixPath()
    above = next((parent for parent in PurePosixPath(inner).parents if parent in folders), root)
    names = sorted(found.name for found in folders if found.parent == above != found)
    return f"{'it' if above == root else above} has {', '.join(names) or 'no folders'}"
