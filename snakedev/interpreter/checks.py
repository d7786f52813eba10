"""What an interpreter must show before it is accepted, whoever provides it."""

import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.folders import for_code
from snakedev.base.job import Job, scrubbed
from snakedev.base.process import CommandError, output
from snakedev.base.records import Record
from snakedev.machine import sanitizer
from snakedev.machine.compilers import find_compiler

_TURN_SECONDS = (0.5, 5.0, 20.0)
"""For how long two threads are watched; longer where others keep the cores busy."""

_Refusal = Callable[[str, object], UserError]
"""Makes the error of a check, by its name and what it saw."""

_FACTS = """
import json, sys, sysconfig
print(json.dumps({
    "version": ".".join(map(str, sys.version_info[:3])),
    "gil_disabled": sysconfig.get_config_var("Py_GIL_DISABLED"),
    "gil": sys._is_gil_enabled() if hasattr(sys, "_is_gil_enabled") else True,
    "abiflags": sys.abiflags,
    "soabi": sysconfig.get_config_var("SOABI"),
    "suffix": sysconfig.get_config_var("EXT_SUFFIX"),
    "include": sysconfig.get_path("include"),
    "prefix": sys.prefix,
}))
"""

_PROBE = Path(__file__).with_name("probe.c")
RACE = Path(__file__).with_name("race.c")
"""An extension with a data race."""

_TURNS = """
import sys; sys.path.insert(0, ".")
from concurrent.futures import ThreadPoolExecutor
from probe import take_turns
seconds = float(sys.argv[1])
with ThreadPoolExecutor(2) as pool:
    print(max(pool.map(take_turns, (0, 1), (seconds, seconds))))
"""

_RACING = """
import sys; sys.path.insert(0, ".")
from threading import Barrier, Thread
from race import count
start = Barrier(2)
threads = [Thread(target=lambda: (start.wait(), count(1_000_000))) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


class Facts(Record):
    """What an interpreter says of itself."""

    version: str
    gil_disabled: int | None
    gil: bool
    abiflags: str
    soabi: str
    suffix: str
    include: str
    prefix: str


def check(
    python: Path, version: str, running: Job, *, sanitized: bool = False
) -> tuple[Facts, dict[str, str]]:
    """Run every check on an interpreter; returns its facts and what each check saw.

    One that is ``sanitized`` must report a race with the file and the line. Raises UserError that
    names the first check that failed and what it saw.
    """

    def refuse(name: str, seen: object) -> UserError:
        return UserError(f"{python}: not accepted: {name}: {seen}")

    seen: dict[str, str] = {}
    try:
        facts = Facts.model_validate(json.loads(_ask(python, "-c", _FACTS)))
    except (CommandError, OSError, ValueError) as error:
        raise refuse("it does not start", error) from None
    if facts.version.rpartition(".")[0] != version:
        raise refuse("version", f"{facts.version}, where config.yaml asks for {version}")
    seen["version"] = facts.version
    if facts.gil_disabled != 1:
        raise refuse("Py_GIL_DISABLED", f"{facts.gil_disabled}: this is no free-threaded build")
    seen["Py_GIL_DISABLED"] = "1"
    if facts.gil:
        raise refuse("GIL", "it is on at start")
    seen["GIL"] = "off"
    for module in ("ssl", "ctypes"):
        code = {
            "ssl": "import ssl; ssl.create_default_context(); print(ssl.OPENSSL_VERSION)",
            "ctypes": "import ctypes; print(ctypes.CDLL(None).getpid() > 0)",
        }[module]
        try:
            seen[module] = _ask(python, "-c", code)
        except CommandError as error:
            raise refuse(module, error.tail[-1] if error.tail else error) from None
    with tempfile.TemporaryDirectory(dir=for_code()) as folder:
        seen["venv"] = _check_venv(python, Path(folder) / "venv", refuse)
        seen["headers"] = _check_headers(python, facts, Path(folder), refuse)
        seen["threads"] = _check_threads(python, Path(folder), refuse)
        if sanitized:
            seen["sanitizer"] = _check_sanitizer(python, facts, Path(folder), refuse)
    for name, what in seen.items():
        running.note(f"check {name}: {what}")
    return facts, seen


def _ask(python: Path, *arguments: str | Path, cwd: Path | None = None) -> str:
    """What the interpreter prints, without the variables that would change its nature."""
    return output([python, *arguments], env=_environment() | sanitizer.QUIET, cwd=cwd)


def _environment() -> dict[str, str]:
    return {**scrubbed(("PATH", "HOME", "TMPDIR"), os.environ), "LC_ALL": "C.UTF-8"}


def _check_venv(python: Path, folder: Path, refuse: _Refusal) -> str:
    try:
        _ask(python, "-m", "venv", "--without-pip", folder)
        code = "import sys; print(sys.prefix != sys.base_prefix and not sys._is_gil_enabled())"
        if _ask(folder / "bin" / "python", "-c", code) != "True":
            raise refuse("venv", "its Python does not know that it is in one")
    except CommandError as error:
        raise refuse("venv", error.tail[-1] if error.tail else error) from None
    return "made"


def _compile(source: Path, facts: Facts, folder: Path, flags: str = "") -> None:
    """Compile a small extension into a folder; raises CommandError, UserError without compiler."""
    compiler = find_compiler("cc")
    if compiler is None:
        raise UserError("this machine has no C compiler: install gcc")
    options = ["-O1", "-shared", "-fPIC", *flags.split(), f"-I{facts.include}"]
    output([*compiler, *options, "-o", folder / f"{source.stem}{facts.suffix}", source])


def _check_headers(python: Path, facts: Facts, folder: Path, refuse: _Refusal) -> str:
    try:
        _compile(_PROBE, facts, folder)
        code = "import sys; sys.path.insert(0, '.'); import probe; print(sys._is_gil_enabled())"
        answer = _ask(python, "-c", code, cwd=folder)
    except CommandError as error:
        raise refuse("headers", error.tail[-1] if error.tail else error) from None
    if answer != "False":
        raise refuse("headers", "a small extension that declares not to need the GIL turned it on")
    return "an extension compiled, loaded and left the GIL off"


def _check_threads(python: Path, folder: Path, refuse: _Refusal) -> str:
    """Two threads, neither of which lets go of the interpreter, must take turns."""
    for seconds in _TURN_SECONDS:
        # on one core, or a busy one, a turn takes a time slice; with the GIL it never comes back
        shortest = float(_ask(python, "-c", _TURNS, str(seconds), cwd=folder))
        if shortest < seconds:
            return f"two threads at once, a turn passed to and fro in {shortest * 1e6:.1f} µs"
    raise refuse("threads", "two threads did not run at once")


def _check_sanitizer(python: Path, facts: Facts, folder: Path, refuse: _Refusal) -> str:
    """Two threads that write one variable must be reported, with the line that does so."""
    _compile(RACE, facts, folder, sanitizer.FLAGS)
    try:
        output([python, "-c", _RACING], env=_environment(), cwd=folder)
    except CommandError as error:
        said = "\n".join(error.tail)
        if found := re.search(r"data race.*?\b(race\.c:\d+)", said, re.DOTALL):
            return f"a data race is reported, at {found[1]}"
    raise refuse("sanitizer", "two threads wrote one variable, and no data race was reported")
