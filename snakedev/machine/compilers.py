"""Finding the compilers of this machine.

CC and its kin hold a command: a program with arguments, perhaps behind a launcher.
"""

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from snakedev.base.errors import UserError

LAUNCHERS = frozenset({"buildcache", "ccache", "distcc", "icecc", "sccache"})
"""Programs that stand before a compiler, or, by links under its name, in its place."""
VARIABLES = {"cc": "CC", "cxx": "CXX", "cudahostcxx": "CUDAHOSTCXX"}
_USUAL = {
    "cc": ("gcc", "cc", "clang"),
    "cxx": ("g++", "c++", "clang++"),
    # nvcc's own choice, for C++ too
    "cudahostcxx": ("gcc",),
}
_LANGUAGE = {"cc": "C", "cxx": "C++", "cudahostcxx": "C++"}


class Gxx(NamedTuple):
    """The g++ that a build asks for."""

    least: str
    """Its version, as 12.2."""
    alone: bool
    """Whether no other compiler serves."""


def find_compiler(kind: str, environment: Mapping[str, str] = os.environ) -> tuple[str, ...] | None:
    """The command of the C (`cc`) or C++ (`cxx`) compiler, or of the one that nvcc calls
    (`cudahostcxx`): that of CC, CXX or CUDAHOSTCXX, else the first of the usual names on PATH.

    Its program is a whole path; a launcher before it is left out. Raises UserError for a variable
    that names no compiler.
    """
    variable = VARIABLES[kind]
    if not environment.get(variable, "").strip():
        return next(((path,) for name in _USUAL[kind] if (path := _program(name))), None)
    _, words = _parted(variable, environment)
    unset = f"or unset {variable} to have this machine's usual one"
    if not words:
        raise UserError(
            f"{variable}: '{environment[variable]}' is a launcher without a compiler: name one "
            f"after it, {unset}"
        )
    path = _program(words[0])
    if path is None:
        raise UserError(
            f"{variable}: there is no program {words[0]}: name a {_LANGUAGE[kind]} compiler, "
            f"{unset}"
        )
    return (path, *words[1:])


def launcher(kind: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The launcher that a variable names before its compiler."""
    try:
        launchers, _ = _parted(VARIABLES[kind], environment)
    except UserError:
        return None
    return " ".join(launchers) or None


def _parted(variable: str, environment: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The words of a variable: its launchers, with their settings, and the compiler's command."""
    try:
        words = shlex.split(environment.get(variable, ""))
    except ValueError as error:
        raise UserError(
            f"{variable}: {environment[variable]} is no command: {str(error).lower()}"
        ) from None
    count = 0
    while count < len(words) and (
        Path(words[count]).name in LAUNCHERS or (count and "=" in words[count])
    ):
        count += 1
    return words[:count], words[count:]


def _program(name: str) -> str | None:
    """The path of a program, which is no link to a launcher: ccache's folder on PATH has such."""
    for folder in [None] if os.sep in name else os.get_exec_path():
        path = shutil.which(name, path=folder)
        if path is None:
            continue
        if Path(path).resolve().name not in LAUNCHERS:
            return os.path.abspath(path)
        if folder is None:
            return _program(Path(name).name)
    return None
