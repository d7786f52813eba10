"""ThreadSanitizer: how code is compiled with it, and what programs are told that run with it.

With `interpreter.sanitizer: thread` the interpreter and the C and C++ that is compiled here carry
its instrumentation; what comes as a finished wheel, and Rust, whose stable compiler has none, do
not. Its runtime reads TSAN_OPTIONS when a program starts.
"""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.folders import for_code
from snakedev.base.process import CommandError, output

FLAGS = "-fsanitize=thread -g -O1"
"""For compilers: the instrumentation, the lines that its reports name, and as much optimisation as
its authors ask for; build systems that choose more themselves write that behind it."""
LINK_FLAGS = "-fsanitize=thread"
# Python programs fork with threads at work, and start others in the child: by default that ends it.
_ALWAYS = "die_after_fork=0"
QUIET = {"TSAN_OPTIONS": f"report_bugs=0 {_ALWAYS}"}
"""Variables with which nothing is reported: for builds and checks, which races must not fail."""
SUPPRESSIONS = Path("share/tsan/suppressions.txt")
"""CPython's own list of races that are known, inside the interpreter's home."""

# The record of an interpreter that was made here, inside its home.
_RECORD = "interpreter.json"
_VARIABLE = "TSAN_OPTIONS"
# An address layout that a runtime cannot work with comes up at random: it starts many times.
_STARTS = 20
_MEMORY_MAPPING = "unexpected memory mapping"


def require_runtime(compiler: Sequence[str]) -> None:
    """Raise UserError where a compiler has no ThreadSanitizer, or its runtime does not start."""
    with tempfile.TemporaryDirectory(dir=for_code()) as folder:
        source, program = Path(folder) / "nothing.c", Path(folder) / "nothing"
        source.write_text("int main(void) { return 0; }\n", encoding="utf-8")
        try:
            output([*compiler, *FLAGS.split(), source, "-o", program])
        except CommandError as error:
            raise UserError(
                f"interpreter.sanitizer: {' '.join(compiler)} cannot build with {LINK_FLAGS} "
                f"({_last(error)}): install its runtime (Debian, Ubuntu: gcc has it; Fedora: "
                f"libtsan; openSUSE: libtsan2), or set CC and CXX to compilers that have it"
            ) from None
        for _ in range(_STARTS):
            try:
                output([program])
            except CommandError as error:
                raise UserError(_does_not_start(error)) from None


def run_variables(environment: Path) -> dict[str, str]:
    """What programs are told that run in ``environment``; nothing where its interpreter is plain.

    The user's own TSAN_OPTIONS come last, and so they count. CPython's faulthandler keeps the
    signals of a crash.
    """
    home = (environment / "bin" / "python").resolve().parents[1]
    if not _is_sanitized(home / _RECORD):
        return {}
    options = [_ALWAYS, "handle_segv=0"]
    if (home / SUPPRESSIONS).is_file():
        options.append(f'suppressions="{home / SUPPRESSIONS}"')
    if given := os.environ.get(_VARIABLE):
        options.append(given)
    return {_VARIABLE: " ".join(options)}


def is_instrumented(library: Path) -> bool:
    """Whether a shared object asks for ThreadSanitizer's runtime; raises ELFError for no such."""
    # imported only here: a plan should not wait for them
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    with library.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".dynsym")
        return isinstance(table, SymbolTableSection) and any(
            symbol["st_shndx"] == "SHN_UNDEF" and symbol.name == "__tsan_init"
            for symbol in table.iter_symbols()
        )


def _is_sanitized(record: Path) -> bool:
    try:
        return json.loads(record.read_bytes()).get("sanitizer") is not None
    except FileNotFoundError:
        return False  # a linked interpreter's record is not in its own home


def _does_not_start(error: CommandError) -> str:
    said = next((line for line in error.tail if "ThreadSanitizer" in line), _last(error))
    if _MEMORY_MAPPING not in said:
        return f"interpreter.sanitizer: a program with ThreadSanitizer does not start: {said}"
    return (
        f"interpreter.sanitizer: ThreadSanitizer's runtime is too old for this kernel's address "
        f"layout ({said.strip()}): run the workflow without randomised addresses, as `setarch -R "
        f"snakemake …`, or let the machine's owner set `sysctl vm.mmap_rnd_bits=28`, or set CC and "
        f"CXX to newer compilers (clang 18, gcc 15)"
    )


def _last(error: CommandError) -> str:
    return next((line.strip() for line in reversed(error.tail) if line.strip()), str(error))
