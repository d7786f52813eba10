"""Layers: what goes into them, and their bytes, the same for the same files wherever they are made.

A layer is a tar archive, compressed by gzip's fastest level, which every tool can load. Names are
sorted, owners are root, times are one fixed date, and modes are what a program needs.

ISA-L compresses, ten times as fast as zlib. At this level it gives the same bytes on every CPU,
without AVX as with AVX-512 (at level 3 it does not), but others where it is handed the same data in
other pieces.
"""

import hashlib
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from isal import ISAL_VERSION, isal_zlib

from snakedev.base.records import Record
from snakedev.wheels.variables import SOURCE_DATE_EPOCH

COMPRESSION = f"gzip 1, ISA-L {ISAL_VERSION}"
"""How layers are compressed: another release of ISA-L may give other bytes."""
EPOCH = int(SOURCE_DATE_EPOCH)
"""The time of all files, and of the image, in seconds."""
PROGRAM, DATA = 0o755, 0o644
_GZIP = 31  # zlib's name for gzip's format, whose header is written without a time
_PIECE = 1 << 20  # bytes that are compressed and copied at once


@dataclass(frozen=True)
class Entry:
    """A file, a link or a folder of a layer."""

    path: str
    """Where it lies in the image, without the leading slash."""
    mode: int = DATA
    content: Path | bytes | None = None
    """What a file holds; None for a link and a folder."""
    link: str | None = None


class Layer(Record):
    """A layer that is written."""

    name: str
    digest: str
    """sha256 of its compressed bytes."""
    diff_id: str
    """sha256 of the tar archive itself."""
    size: int
    """Compressed bytes."""
    unpacked: int
    """Bytes of the tar archive."""


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


class _Compressed:
    """A stream into a sink, compressed and digested on the way."""

    def __init__(self, sink: _Sink):
        self._sink, self._zlib = sink, isal_zlib.compressobj(1, isal_zlib.DEFLATED, _GZIP)
        self.plain, self.packed = hashlib.sha256(), hashlib.sha256()
        self.unpacked = self.size = 0

    def write(self, data: bytes) -> int:
        self.plain.update(data)
        self.unpacked += len(data)
        self._emit(self._zlib.compress(data))
        return len(data)

    def close(self) -> None:
        self._emit(self._zlib.flush())

    def _emit(self, data: bytes) -> None:
        self.packed.update(data)
        self.size += len(data)
        self._sink.write(data)


def write_layer(name: str, entries: Iterable[Entry], sink: _Sink) -> Layer:
    """Write a layer; of two entries with one path the last counts."""
    stream = _Compressed(sink)
    with tarfile.open(  # type: ignore[call-overload]
        fileobj=stream, mode="w|", bufsize=_PIECE, copybufsize=_PIECE, format=tarfile.PAX_FORMAT
    ) as archive:
        for entry in _with_folders(entries):
            info = tarfile.TarInfo(entry.path)
            info.mode, info.mtime = entry.mode, EPOCH
            if entry.link is not None:
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, 0o777
                archive.addfile(info)
            elif entry.content is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                with _opened(entry.content) as file:
                    info.size = file.seek(0, 2)
                    file.seek(0)
                    archive.addfile(info, file)
    stream.close()
    return Layer(
        name=name,
        digest=stream.packed.hexdigest(),
        diff_id=stream.plain.hexdigest(),
        size=stream.size,
        unpacked=stream.unpacked,
    )


def _opened(content: Path | bytes) -> BinaryIO:
    return BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def _with_folders(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Entries and the folders that they lie in, each folder before what is in it."""
    found: dict[str, Entry] = {}
    for entry in entries:
        for folder in PurePosixPath(entry.path).parents:
            if str(folder) != ".":
                found.setdefault(str(folder), Entry(str(folder), PROGRAM))
        found[entry.path] = entry
    yield from (found[path] for path in sorted(found, key=lambda path: path.split("/")))
