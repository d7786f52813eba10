"""Finding the compilers of this machine."""

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path


def find_compiler(kind: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The C (`cc`) or C++ (`cxx`) compiler: CC or CXX, else the usual names on PATH."""
    variable, usual = {
        "cc": ("CC", ("gcc", "cc", "clang")),
        "cxx": ("CXX", ("g++", "c++", "clang++")),
    }[kind]
    names = [shlex.split(environment[variable])[0]] if environment.get(variable) else usual
    return next((Path(path) for name in names if (path := shutil.which(name))), None)
