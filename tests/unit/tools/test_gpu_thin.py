"""Libraries for one GPU: what goes is what it never reads, and the rest stays where it was."""

import ctypes
import struct
import subprocess

import pytest

from tools.gpu.thin import fat_binaries, taken, thinned

PTX, COMPILED = 1, 2


def fat_binary(*entries: tuple[int, int, bytes]) -> bytes:
    """As nvcc embeds it: kind, capability and code of each entry."""
    written = b"".join(
        struct.pack("<HHIQ12xI32x", kind, 0x101, 64, len(code), capability) + code
        for kind, capability, code in entries
    )
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(written)) + written


def test_code_for_other_gpus_goes_and_nothing_moves():
    first = fat_binary((COMPILED, 80, b"a" * 8), (COMPILED, 90, b"b" * 16), (PTX, 120, b"c" * 8))
    second = fat_binary((COMPILED, 100, b"d" * 8), (COMPILED, 90, b"e" * 8))
    library = b"host code" + first + b"\0" * 6 + second + b"more host code"
    thin = thinned(library, 90)
    assert len(thin) == len(library)
    changed = library.translate(bytes.maketrans(b"", b""))
    for code in (b"a" * 8, b"c" * 8, b"d" * 8):
        changed = changed.replace(code, bytes(8))
    assert thin == changed
    assert [len(entries) for entries in fat_binaries(thin)] == [3, 2]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        # 9.0 and 9.0a are told apart by a flag: both stay
        ([(COMPILED, 90), (COMPILED, 90)], [0, 1]),
        # compiled for an older one of the same major version
        ([(COMPILED, 80), (COMPILED, 86), (COMPILED, 120), (PTX, 80)], [1]),
        ([(COMPILED, 100), (COMPILED, 120), (PTX, 75), (PTX, 80), (PTX, 100)], [3]),
        ([(COMPILED, 100)], []),
    ],
)
def test_a_gpu_takes_code_for_it_or_else_the_newest_ptx(entries, expected):
    capability = 89 if (COMPILED, 86) in entries else 90
    data = fat_binary(*((kind, of, bytes(8)) for kind, of in entries))
    (found,) = fat_binaries(data)
    assert [found.index(entry) for entry in taken(found, capability)] == expected


def test_a_library_without_its_symbols_for_debuggers_still_loads(tmp_path):
    source, library = tmp_path / "a.c", tmp_path / "a.so"
    source.write_text(
        "static int hidden(void) { return 42; }\nint shown(void) { return hidden(); }"
    )
    subprocess.run(["cc", "-g", "-shared", "-fPIC", "-o", library, source], check=True)
    data = library.read_bytes()
    thin = thinned(data, 90)
    assert b"hidden" in data and b"hidden" not in thin
    assert len(thin) == len(data)
    (tmp_path / "thin.so").write_bytes(thin)
    assert ctypes.CDLL(str(tmp_path / "thin.so")).shown() == 42


def test_what_is_no_library_stays_as_it_is():
    assert thinned(b"a text", 90) == b"a text"
    assert thinned(b"\x7fELF\x01" + bytes(60), 90) == b"\x7fELF\x01" + bytes(60)
