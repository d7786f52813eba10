"""What an extension module's file says of itself, without loading it."""

import re
from pathlib import Path, PurePosixPath
from typing import Literal

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.hash import ELFHashSection, GNUHashSection
from elftools.elf.sections import SymbolTableSection

from snakedev.base.records import Record

# The functions that an init function calls: the first hands over a definition with slots, the
# second makes the module itself.
_MULTI_PHASE = "PyModuleDef_Init"
_SINGLE_PHASE = "PyModule_Create2"
_SETS_GIL = "PyUnstable_Module_SetGIL"
Init = Literal["multi-phase", "single-phase", "either", "elsewhere"]
_INIT: dict[tuple[bool, bool], Init] = {
    (True, False): "multi-phase",
    (False, True): "single-phase",
    (True, True): "either",
    (False, False): "elsewhere",
}
_TAG = re.compile(r"\.(?:cpython-(\d+t?)(?:-.*)?|(abi3t?))$")


class FileEvidence(Record):
    """The file name's ABI tag, and which functions of the C API the file asks for."""

    abi: str | None
    """`cp314t`, `abi3` and the like; None for a name without a tag."""
    init: Init
    """How it is initialised, by the function that it calls for that; `either` where it has both,
    `elsewhere` where neither is in this file, but in a library that it is linked to."""
    sets_gil: bool
    """Whether it calls PyUnstable_Module_SetGIL, with which a single-phase module says that it
    works without the GIL."""


def module_name(path: PurePosixPath) -> str | None:
    """The name under which a file below site-packages is imported; None where it cannot be."""
    parts = [*path.parts[:-1], path.name.partition(".")[0]]
    return ".".join(parts) if path.suffix == ".so" and all(map(str.isidentifier, parts)) else None


def examine(file: Path) -> FileEvidence | None:
    """Look at a shared object; None for one that is no extension module of its name."""
    try:
        with file.open("rb") as stream:
            elf = ELFFile(stream)
            # by its hash table: libraries have some hundred thousand symbols
            tables = map(elf.get_section_by_name, (".gnu.hash", ".hash"))
            init = f"PyInit_{file.name.partition('.')[0]}"
            if not any(
                isinstance(table, GNUHashSection | ELFHashSection) and table.get_symbol(init)
                for table in tables
            ):
                return None
            symbols = elf.get_section_by_name(".dynsym")
            assert isinstance(symbols, SymbolTableSection)
            called = {
                symbol.name
                for symbol in symbols.iter_symbols()
                if symbol["st_shndx"] == "SHN_UNDEF"
            }
    except (OSError, ELFError):
        return None
    calls = (_MULTI_PHASE in called, _SINGLE_PHASE in called)
    return FileEvidence(abi=_abi(file.name), init=_INIT[calls], sets_gil=_SETS_GIL in called)


def _abi(name: str) -> str | None:
    tag = _TAG.search(name.removesuffix(".so"))
    if tag is None:
        return None
    return f"cp{tag[1]}" if tag[1] else tag[2]
