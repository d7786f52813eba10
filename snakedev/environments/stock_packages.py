"""All packages of our locks, and stock wheels of what is built here, on an ordinary Python."""

import json
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from snakedev.base.errors import UserError
from snakedev.base.records import write_text
from snakedev.environments.locks import lock_exclusions, lock_pins
from snakedev.environments.stock import ask_uv, ordinary_python, stock_name

# What uv says of a version that no index has, or has no wheel of that this Python takes.
_NO_SOLUTION = "No solution found"
_NONE = re.compile(r"there (is|are) no version|was not found|no (usable )?wheels|no matching")


class NoStockWheelError(Exception):
    """There is no stock wheel for the ordinary Python, or not what it works with; the message says
    so in a line."""


def stock_packages(
    folder: Path, locks: Sequence[Path], built: Iterable[str], python: str | None = None
) -> Path:
    """An environment on an ordinary Python with the packages of locks, at the same versions.

    It is made in ``folder`` where it is not there. What the locks leave out is left out, and what
    is ``built`` here, which `add_stock_wheel` puts in. ``python`` is anything that uv takes for one
    (None: the Python that runs this). Raises NoStockWheelError where they do not run on it,
    UserError where uv fails otherwise.
    """
    python = python or sys.executable
    left_out = {name for lock in locks for name in lock_exclusions(lock.parent, lock.stem).packages}
    left_out |= set(map(canonicalize_name, built))
    pins = {name: pin for lock in locks for name, pin in lock_pins(lock).items()}
    wanted = [
        f"{name}{_extras(pin.extras)}=={pin.version.public}"
        for name, pin in pins.items()
        if name not in left_out
    ]
    # of a package under a condition that never holds uv takes none, whoever asks for it
    never = [f"{name}; sys_platform == 'none'" for name in sorted(left_out)]
    ready, state = folder / "ready", json.dumps([python, wanted, never])
    if ready.is_file() and ready.read_text(encoding="utf-8") == state:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    write_text(folder / "requirements.txt", "\n".join(wanted) + "\n")
    # the locks' versions count, also where a package asks for others on another Python
    write_text(folder / "overrides.txt", "\n".join([*wanted, *never]) + "\n")
    ordinary_python(python, folder)
    files = ("--overrides", folder / "overrides.txt", "--requirements", folder / "requirements.txt")
    names = ", ".join(lock.name for lock in locks)
    try:
        _install(folder, *files, about=f"the packages of {names} on {python}")
    except UserError as error:
        if _NO_SOLUTION in str(error):
            said = " ".join(str(error).split())
            raise NoStockWheelError(f"{said}: name another one in test_report.python") from None
        raise
    write_text(ready, state)
    return folder


def add_stock_wheel(environment: Path, repo: str, variant: str, version: str) -> str:
    """Install a repo's stock wheel into an environment, without what it asks for; returns the name
    of its package.

    Raises NoStockWheelError where there is none, UserError where uv fails otherwise.
    """
    name = stock_name(repo, variant)
    try:
        _install(environment, "--no-deps", f"{name}=={version}", about=f"{name}=={version}")
    except UserError as error:
        if _NONE.search(str(error)):
            raise NoStockWheelError(
                f"no package index has a wheel {name} {version} for the ordinary Python"
            ) from None
        raise
    return name


def _extras(extras: Iterable[str]) -> str:
    return f"[{','.join(sorted(extras))}]" if extras else ""


def _install(environment: Path, *arguments: str | Path, about: str) -> None:
    options = ("--quiet", "--only-binary", ":all:", "--python", environment)
    ask_uv("pip", "install", *options, *arguments, about=about)
