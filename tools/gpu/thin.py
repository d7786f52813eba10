"""Libraries without what one GPU machine never reads: symbols for debuggers, code for other GPUs.

What goes is set to zero, which compresses to nothing, and nothing moves.

nvcc embeds fat binaries: a header (its magic number and version are in CUDA's
fatbinary_section.h), and after it an entry for each architecture, compiled code or PTX, of which
the driver takes one. The layout of an entry is not documented; tests hold it against what
cuobjdump lists.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_MAGIC = struct.pack("<IHH", 0xBA55ED50, 1, 16)
# magic, version and own size; size of the entries
_HEADER = struct.Struct("<8sQ")
# kind, version, own size, size of the code, 12 bytes that do not matter here, capability
_ENTRY = struct.Struct("<HHIQ12xI")
_PTX, _COMPILED = 1, 2
# of a section in an ELF file: name, kind, flags, address, place, size
_SECTION = struct.Struct("<IIQQQQ")
# SHT_PROGBITS (debug information, where it is not loaded), SHT_SYMTAB and SHT_STRTAB of elf.h
_SYMBOLS = (1, 2, 3)
_LOADED = 2  # SHF_ALLOC


@dataclass(frozen=True)
class Entry:
    """Code for one architecture: its bytes in the file, and whether they are compiled."""

    start: int
    size: int
    compiled: bool
    capability: int
    """Ten times the compute capability, without a letter: 90 for 9.0 and 9.0a."""


def fat_binaries(data: bytes | bytearray) -> Iterator[list[Entry]]:
    """The entries of each fat binary in a file."""
    at = data.find(_MAGIC)
    while at >= 0:
        _, size = _HEADER.unpack_from(data, at)
        position, end = at + _HEADER.size, at + _HEADER.size + size
        entries = []
        while position + _ENTRY.size <= end <= len(data):
            kind, _, header, length, capability = _ENTRY.unpack_from(data, position)
            if kind not in (_PTX, _COMPILED) or not header:
                break
            entries.append(Entry(position + header, length, kind == _COMPILED, capability))
            position += header + length
        yield entries
        at = data.find(_MAGIC, position)


def taken(entries: list[Entry], capability: int) -> list[Entry]:
    """What a GPU takes of a fat binary: code that was compiled for it, or else PTX for older ones.

    Compiled code runs on GPUs of the same major version that are no older.
    """
    compiled = [
        entry
        for entry in entries
        if entry.compiled
        and entry.capability // 10 == capability // 10
        and entry.capability <= capability
    ]
    ptx = [entry for entry in entries if not entry.compiled and entry.capability <= capability]
    found = compiled or ptx
    newest = max((entry.capability for entry in found), default=0)
    return [entry for entry in found if entry.capability == newest]


def unmapped(data: bytes) -> Iterator[slice]:
    """Where an ELF file of 64 bits has what a debugger reads, and no loader."""
    if data[:5] != b"\x7fELF\x02":
        return
    (table,) = struct.unpack_from("<Q", data, 40)
    each, count, names = struct.unpack_from("<HHH", data, 58)
    sections = [_SECTION.unpack_from(data, table + each * number) for number in range(count)]
    for number, (_, kind, flags, _, start, size) in enumerate(sections):
        if kind in _SYMBOLS and not flags & _LOADED and number != names:
            yield slice(start, start + size)


def thinned(data: bytes, capability: int) -> bytes:
    """A library for one GPU, with zeros in place of what it does without."""
    kept = bytearray(data)
    for place in unmapped(data):
        kept[place] = bytes(place.stop - place.start)
    for entries in fat_binaries(data):
        needed = taken(entries, capability)
        for entry in entries:
            if entry not in needed:
                kept[entry.start : entry.start + entry.size] = bytes(entry.size)
    return bytes(kept)
