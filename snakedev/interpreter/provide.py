"""Where the free-threaded interpreter comes from: this system, uv, package registries, or CPython's
git repository."""

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import CommandError, run
from snakedev.base.records import Record
from snakedev.config.repos import Interpreter
from snakedev.fetch.indexes import index_environment
from snakedev.interpreter import assemble, checks, source_build
from snakedev.store.layout import Layout

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
    sanitizer: str | None = None
    """`thread` for one that is built with ThreadSanitizer."""
    ref: str | None = None
    """The tag or commit that was asked for, of one that was built from source."""
    commit: str | None = None
    """The commit of CPython that it was built from."""


@dataclass(frozen=True)
class Request:
    """What is wanted of a provider."""

    wanted: Interpreter
    layout: Layout
    mirror: str | None
    """A Debian mirror; None for the machine's own."""
    jobs: int
    """Compilations that may run at once."""
    compiler_cache: bool
    running: Job

    @property
    def program(self) -> str:
        """The name of the interpreter's program."""
        return self.layout.python.name


@dataclass(frozen=True)
class Parts:
    """What a provider has made an interpreter from."""

    digests: dict[str, str]
    origin: dict[str, str | None] = field(default_factory=dict)
    """Of the record's keys, those on where the source came from."""


def provide(request: Request) -> InterpreterRecord:
    """Have an accepted interpreter in its home; replaces what stands there.

    Raises UserError that says, for each provider that was tried, why it was passed over.
    """
    wanted, home, running = request.wanted, request.layout.interpreter, request.running
    if wanted.from_source:
        providers: tuple[str, ...] = ("source",)
    else:
        providers = ORDER if wanted.provider == "auto" else (wanted.provider,)
    reasons = []
    for name in providers:
        scratch = home.with_name(f".{home.name}.scratch")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            parts = _PROVIDERS[name](request, scratch)
            python = scratch.absolute() / "bin" / request.program
            facts, seen = checks.check(
                python, wanted.version, running, sanitized=wanted.sanitizer is not None
            )
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
            digests=parts.digests,
            checks=seen,
            sanitizer=wanted.sanitizer,
            **parts.origin,
        )
        shutil.rmtree(home, ignore_errors=True)
        scratch.rename(home)
        kind = "free-threaded" + (" with ThreadSanitizer" if wanted.sanitizer else "")
        running.say(f"Python {facts.version} {kind}, from {name}")
        return record
    raise UserError("no free-threaded interpreter:\n  " + "\n  ".join(reasons))


def _system(request: Request, scratch: Path) -> Parts:
    wanted, name = request.wanted, request.program
    found = str(wanted.path) if wanted.path else shutil.which(name)
    if found is None:
        raise UserError(f"there is no {name} on PATH")
    if not os.access(found, os.X_OK):
        raise UserError(f"interpreter.path: {found} is no program")
    return _link(Path(found).absolute(), scratch, name)


def _uv(request: Request, scratch: Path) -> Parts:
    version = request.wanted.version
    folder = (request.layout.downloads / "uv-python").absolute()
    variables = {
        **index_environment(),
        "UV_PYTHON_INSTALL_DIR": str(folder),
        "UV_HTTP_TIMEOUT": _UV_HTTP_SECONDS,
        "UV_HTTP_RETRIES": "0",
    }
    try:
        run(
            ["uv", "python", "install", "--no-config", "--no-bin", f"{version}t"],
            log=request.running.log,
            env=variables,
        )
    except CommandError as error:
        last = [line.strip() for line in error.tail if line.strip()]
        raise UserError(f"uv cannot install it: {last[-1] if last else error}") from None
    found = sorted(folder.glob(f"*/bin/{request.program}"))
    if not found:
        raise UserError(f"uv installed nothing that has bin/{request.program}")
    return _link(found[-1], scratch, found[-1].name)


def _registry(request: Request, scratch: Path) -> Parts:
    layout = request.layout
    home, downloads = layout.interpreter.absolute(), layout.downloads
    return Parts(
        assemble.assemble(
            request.wanted.version, home, scratch, downloads, request.mirror, request.running
        )
    )


def _source(request: Request, scratch: Path) -> Parts:
    wanted = request.wanted
    assert wanted.git is not None
    digests, commit = source_build.build(
        wanted,
        request.layout,
        scratch,
        request.jobs,
        request.running,
        compiler_cache=request.compiler_cache,
    )
    return Parts(digests, {"ref": wanted.git.ref, "commit": commit})


def _link(program: Path, scratch: Path, name: str) -> Parts:
    (scratch / "bin").mkdir()
    (scratch / "bin" / name).symlink_to(program)
    return Parts({program.name: hashlib.sha256(program.read_bytes()).hexdigest()})


_PROVIDERS: dict[str, Callable[[Request, Path], Parts]] = {
    "system": _system,
    "uv": _uv,
    "registry": _registry,
    "source": _source,
}
