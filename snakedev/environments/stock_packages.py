"""All packages of our locks, and stock wheels of what is built here, on an ordinary Python."""

import json
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from packaging.utils import canonicalize_name

from snakedev.base.errors import UserError
from snakedev.base.records import write_text
from snakedev.environments.locks import lock_exclusions, lock_pins
from snakedev.environments.stock import WHEELS, ask_uv, ordinary_python

# What uv says of a version that no index has, or has no wheel of that this Python takes.
_NO_SOLUTION = "No solution found"
_NONE = re.compile(r"there (is|are) no version|was not found|no (usable )?wheels|no matching")


@dataclass(frozen=True)
class StockWheel:
    """A wheel of the package index that stands for one that is built here."""

    package: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """What it needs to be told, to be what the variant is."""
    about: str = ""
    """What is to be known of it, in a clause."""


# For what needs no kernels, vLLM's own jobs without GPUs take the wheel for GPUs and tell it so.
_FOR_GPUS = StockWheel(
    "vllm",
    {"VLLM_TARGET_DEVICE": "cpu"},
    "the wheel of vLLM for GPUs, told to run on a CPU: it has no kernels for one",
)


class NoStockWheelError(Exception):
    """There is no stock wheel for the ordinary Python, or not what it works with; the message says
    so in a line."""


def stock_packages(
    folder: Path, locks: Sequence[Path], built: Iterable[str], python: str | None = None
) -> Path:
    """An environment on an ordinary Python with the packages of locks, at the same versions.

    It is made in ``folder`` where it is not there. What the locks leave out is left out, and what
    is ``built`` here: `add_stock_wheels` puts that in. ``python`` is anything uv takes for one
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


def add_stock_wheels(
    environment: Path, repo: str, variant: str, versions: Mapping[str, str]
) -> StockWheel:
    """Install stock wheels into an environment, without what they ask for: a repo's, which is
    returned, and those that there are of others, which it may need; ``versions`` are by repo.

    Raises NoStockWheelError where the repo has none, UserError where uv fails otherwise.
    """
    for other, version in versions.items():
        # no other needs vLLM, which is large
        if other not in (repo, "vllm"):
            with suppress(NoStockWheelError):
                _add_stock_wheel(environment, other, variant, version)
    return _add_stock_wheel(environment, repo, variant, versions[repo])


def _add_stock_wheel(environment: Path, repo: str, variant: str, version: str) -> StockWheel:
    wheels = _stock_wheels(repo, variant)
    for wheel in wheels:
        wanted = f"{wheel.package}=={version}"
        try:
            _install(environment, "--no-deps", wanted, about=wanted)
        except UserError as error:
            if not _NONE.search(str(error)):
                raise
        else:
            return wheel
    names = " or ".join(wheel.package for wheel in wheels) or f"of {repo} for {variant}:"
    raise NoStockWheelError(
        f"no package index has a wheel {names} {version} for the ordinary Python"
    )


def _stock_wheels(repo: str, variant: str) -> list[StockWheel]:
    """What may be taken for a repo's stock wheel, the best first."""
    if repo != "vllm":
        return [StockWheel(repo)]
    own = [StockWheel(WHEELS[variant])] if variant in WHEELS else []
    return [*own, _FOR_GPUS] if variant == "cpu" else own


def _extras(extras: Iterable[str]) -> str:
    return f"[{','.join(sorted(extras))}]" if extras else ""


def _install(environment: Path, *arguments: str | Path, about: str) -> None:
    options = ("--quiet", "--only-binary", ":all:", "--python", environment)
    ask_uv("pip", "install", *options, *arguments, about=about)
