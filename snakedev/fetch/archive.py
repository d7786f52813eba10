"""Unpacking source archives without trusting them."""

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from snakedev.base.errors import UserError


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a source archive (.tar.*) into a folder, its one top-level folder stripped.

    Raises UserError, naming the member, for a path or a link that leads out of the folder, for a
    device file, and for an archive without a single top-level folder.
    """
    try:
        with tarfile.open(archive) as tar:
            members = tar.getmembers()
            tops = {member.name.split("/")[0] for member in members if member.name not in (".", "")}
            if len(tops) != 1:
                raise UserError(f"{archive.name}: it has {len(tops)} top-level entries, not one")
            (top,) = tops
            folder.mkdir(parents=True, exist_ok=True)
            for member in members:
                inner = member.name.removeprefix(top).lstrip("/")
                if member.name in (".", "") or not inner:
                    continue
                if member.islnk():
                    # a hard link names its target from the archive's root
                    member = member.replace(linkname=member.linkname.removeprefix(f"{top}/"))
                # times and owners are not part of a source; 'data' refuses what leads outside
                tar.extract(member.replace(name=inner), folder, filter="data")
    except tarfile.FilterError as error:
        raise UserError(f"{archive.name}: refused: {error}") from None
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{archive.name}: not a readable archive: {error}") from None


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
    try:
        with zipfile.ZipFile(archive) as whole:
            members = {PurePosixPath(member.filename): member for member in whole.infolist()}
            for path, member in members.items():
                _refuse_unsafe(archive, path, member)
            yield whole, members
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        # zipfile says by a RuntimeError that it cannot decrypt or decompress a member
        raise UserError(f"{archive.name}: not a readable archive: {error}") from None


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
