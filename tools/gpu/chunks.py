"""Layers as archives in compressed chunks, which fill the loads that are carried."""

import hashlib
import io
import lzma
import os
import tarfile
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

CHUNK_BYTES = 32 << 20
"""What one chunk has, before it is compressed."""
_AHEAD = 8
_FILTERS = [
    {"id": lzma.FILTER_X86},
    {"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": CHUNK_BYTES},
]

Tree = dict[str, Path]
"""Files by the path that they shall have."""


def files(folder: Path, home: str, without: Iterable[str] = (), only: Iterable[str] = ()) -> Tree:
    """The files and links of a folder, to lie under ``home``, less those that patterns name.

    A pattern names paths relative to the folder; what lies in a folder that it names is meant, too.
    """
    without, only = tuple(without), tuple(only)
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        name = path.relative_to(folder).as_posix()
        if named(name, without) or (only and not named(name, only)):
            continue
        found[f"{home}/{name}"] = path
    return found


def named(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether patterns name a path, or a folder that it lies in."""
    parts = name.split("/")
    heads = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return any(fnmatchcase(head, pattern) for pattern in patterns for head in heads)


class Chunks(io.RawIOBase):
    """A file whose bytes are compressed in chunks, each under the sha256 of its bytes."""

    def __init__(self, folder: Path, pool: ThreadPoolExecutor, size: int = CHUNK_BYTES):
        self.folder, self.pool, self.size = folder, pool, size
        self.written: list[Future[str]] = []
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._waiting += data
        while len(self._waiting) >= self.size:
            self._send(self.size)
        return len(data)

    def names(self) -> list[str]:
        """The chunks' names, in order, when all of them are compressed."""
        if self._waiting:
            self._send(len(self._waiting))
        return [future.result() for future in self.written]

    def _send(self, count: int) -> None:
        data = bytes(self._waiting[:count])
        del self._waiting[:count]
        self.written.append(self.pool.submit(self._compress, data))
        # reading is faster than compressing: no more than these few are in memory
        if len(self.written) > _AHEAD:
            self.written[-1 - _AHEAD].result()

    def _compress(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        final = self.folder / f"{name}.xz"
        if not final.exists():
            scratch = final.with_suffix(".part")
            scratch.write_bytes(lzma.compress(data, filters=_FILTERS))
            scratch.replace(final)
        return name


def archive(
    tree: Tree,
    target: Chunks,
    seen: dict[str, str],
    change: Callable[[str, bytes], bytes] = lambda name, data: data,
) -> None:
    """Write a layer as a tar archive that says nothing of when and where it was made.

    A file's bytes are those that ``change`` makes of its name and its bytes here.

    ``seen`` are the paths of the files of earlier layers by their sha256 and mode: a hard link
    stands for another that is the same.
    """
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        for name, path in tree.items():
            entry = tarfile.TarInfo(name)
            if path.is_symlink():
                entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(path)
                tar.addfile(entry)
                continue
            data = change(name, path.read_bytes())
            # of a link's too: tarfile gives it to the file that it links to
            entry.mode = 0o755 if os.access(path, os.X_OK) else 0o644
            first = seen.setdefault(f"{hashlib.sha256(data).hexdigest()} {entry.mode}", name)
            if first != name and data:
                entry.type, entry.linkname = tarfile.LNKTYPE, first
                tar.addfile(entry)
                continue
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def fill(sizes: dict[str, int], limit: int) -> list[list[str]]:
    """Distribute chunks to as few loads as the largest-first rule finds."""
    loads: list[list[str]] = []
    rooms: list[int] = []
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        fits = (number for number, room in enumerate(rooms) if room >= sizes[name])
        number = next(fits, len(loads))
        if number == len(loads):
            loads.append([])
            rooms.append(limit)
        loads[number].append(name)
        rooms[number] -= sizes[name]
    return loads
