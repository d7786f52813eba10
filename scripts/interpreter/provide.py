"""Where the free-threaded interpreter comes from: this system, uv, or package registries."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from scripts.config import Interpreter
from scripts.errors import UserError
from scripts.indexes import index_environment
from scripts.interpreter import checks, registry
from scripts.job import Job
from scripts.process import CommandError, run
from scripts.records import Record

ORDER = ("system", "uv", "registry")
"""What provider `auto` tries, in this order."""

_UV_HTTP_SECONDS = "30"


class InterpreterRecord(Record):
    """interpreter.json: the interpreter that everything is built for."""

    provider: str
    version: str
    executable: str
    """The program itself; bin/python3.14t in the interpreter's home leads to it."""
    soabi: str
    abiflags: str
    digests: dict[str, str]
    """sha256 of the parts that it was made from, or of the program that was found."""
    checks: dict[str, str]
    """What each check saw."""


def provide(
    wanted: Interpreter, home: Path, cache: Path, mirror: str | None, running: Job
) -> InterpreterRecord:
    """Have an accepted interpreter in ``home``; replaces what stands there.

    Raises UserError that says, for each provider that was tried, why it was passed over.
    """
    providers = ORDER if wanted.provider == "auto" else (wanted.provider,)
    reasons = []
    for name in providers:
        scratch = home.with_name(f".{home.name}.scratch")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            digests = _PROVIDERS[name](wanted, home, scratch, cache, mirror, running)
            python = scratch.absolute() / "bin" / f"python{wanted.version}t"
            facts, seen = checks.check(python, wanted.version, running)
        except (UserError, CommandError) as error:
            running.say(f"{name}: {error}")
            reasons.append(f"{name}: {error}")
            shutil.rmtree(scratch)
            continue
        record = InterpreterRecord(
            provider=name,
            version=facts.version,
            executable=str(python.resolve())
            if python.is_symlink()
            else str(home.absolute() / "bin" / python.name),
            soabi=facts.soabi,
            abiflags=facts.abiflags,
            digests=digests,
            checks=seen,
        )
        shutil.rmtree(home, ignore_errors=True)
        scratch.rename(home)
        running.say(f"Python {facts.version} free-threaded, from {name}")
        return record
    raise UserError("no free-threaded interpreter:\n  " + "\n  ".join(reasons))


def _system(
    wanted: Interpreter, home: Path, scratch: Path, cache: Path, mirror: str | None, running: Job
) -> dict[str, str]:
    name = f"python{wanted.version}t"
    found = str(wanted.path) if wanted.path else shutil.which(name)
    if found is None:
        raise UserError(f"there is no {name} on PATH")
    if not os.access(found, os.X_OK):
        raise UserError(f"interpreter.path: {found} is no program")
    return _link(Path(found).absolute(), scratch, name)


def _uv(
    wanted: Interpreter, home: Path, scratch: Path, cache: Path, mirror: str | None, running: Job
) -> dict[str, str]:
    folder = (cache / "uv-python").absolute()
    variables = {
        **index_environment(),
        "UV_PYTHON_INSTALL_DIR": str(folder),
        "UV_HTTP_TIMEOUT": _UV_HTTP_SECONDS,
        "UV_HTTP_RETRIES": "0",
    }
    try:
        run(
            ["uv", "python", "install", "--no-config", "--no-bin", f"{wanted.version}t"],
            log=running.log,
            env=variables,
        )
    except CommandError as error:
        last = [line.strip() for line in error.tail if line.strip()]
        raise UserError(f"uv cannot install it: {last[-1] if last else error}") from None
    found = sorted(folder.glob(f"*/bin/python{wanted.version}t"))
    if not found:
        raise UserError(f"uv installed nothing that has bin/python{wanted.version}t")
    return _link(found[-1], scratch, found[-1].name)


def _registry(
    wanted: Interpreter, home: Path, scratch: Path, cache: Path, mirror: str | None, running: Job
) -> dict[str, str]:
    return registry.assemble(wanted.version, home.absolute(), scratch, cache, mirror, running)


def _link(program: Path, scratch: Path, name: str) -> dict[str, str]:
    (scratch / "bin").mkdir()
    (scratch / "bin" / name).symlink_to(program)
    return {program.name: hashlib.sha256(program.read_bytes()).hexdigest()}


_PROVIDERS: dict[str, Callable[..., dict[str, str]]] = {
    "system": _system,
    "uv": _uv,
    "registry": _registry,
}
