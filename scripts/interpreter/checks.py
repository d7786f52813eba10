"""What an interpreter must show before it is accepted, whoever provides it."""

import json
import os
import tempfile
from pathlib import Path

from scripts.errors import UserError
from scripts.job import Job, scrubbed
from scripts.machine import available_cores, find_compiler
from scripts.process import CommandError, output
from scripts.records import Record

_ATTEMPTS = 3
_PARALLEL_SHARE = 1.3
"""CPU seconds per wall second that two busy threads must reach; one core alone gives 1."""

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

_EXTENSION = """
#include <Python.h>
static int run(PyObject *module) { return PyModule_AddIntConstant(module, "answer", 42); }
static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, run}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "probe", .m_size = 0, .m_slots = slots};
PyMODINIT_FUNC PyInit_probe(void) { return PyModuleDef_Init(&definition); }
"""

_THREADS = """
import threading, time
def work():
    total = 0
    for number in range(3_000_000):
        total += number * number
threads = [threading.Thread(target=work) for _ in range(2)]
wall, cpu = time.perf_counter(), time.process_time()
for thread in threads: thread.start()
for thread in threads: thread.join()
print((time.process_time() - cpu) / (time.perf_counter() - wall))
"""

# With a GIL, a busy thread gives way after the switch interval only, and here that is an hour.
_AT_ONCE = """
import sys, threading, time
sys.setswitchinterval(3600)
met = False
def answer():
    global met
    met = True
deadline = time.monotonic() + 20
threading.Thread(target=answer, daemon=True).start()
while not met and time.monotonic() < deadline:
    pass
print(met)
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


def check(python: Path, version: str, running: Job) -> tuple[Facts, dict[str, str]]:
    """Run every check on an interpreter; returns its facts and what each check saw.

    Raises UserError that names the first check that failed and what it saw.
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
    with tempfile.TemporaryDirectory() as folder:
        seen["venv"] = _check_venv(python, Path(folder) / "venv", refuse)
        seen["headers"] = _check_headers(python, facts, Path(folder), refuse)
    seen["threads"] = _check_threads(python, refuse)
    for name, what in seen.items():
        running.note(f"check {name}: {what}")
    return facts, seen


def _ask(python: Path, *arguments: str | Path, cwd: Path | None = None) -> str:
    """What the interpreter prints, without the variables that would change its nature."""
    environment = {**scrubbed(("PATH", "HOME", "TMPDIR"), os.environ), "LC_ALL": "C.UTF-8"}
    return output([python, *arguments], env=environment, cwd=cwd)


def _check_venv(python: Path, folder: Path, refuse) -> str:
    try:
        _ask(python, "-m", "venv", "--without-pip", folder)
        code = "import sys; print(sys.prefix != sys.base_prefix and not sys._is_gil_enabled())"
        if _ask(folder / "bin" / "python", "-c", code) != "True":
            raise refuse("venv", "its Python does not know that it is in one")
    except CommandError as error:
        raise refuse("venv", error.tail[-1] if error.tail else error) from None
    return "made"


def _check_headers(python: Path, facts: Facts, folder: Path, refuse) -> str:
    compiler = find_compiler("cc")
    if compiler is None:
        raise UserError("this machine has no C compiler: install gcc")
    source = folder / "probe.c"
    source.write_text(_EXTENSION, encoding="utf-8")
    try:
        output(
            [compiler, "-shared", "-fPIC", f"-I{facts.include}", "-o"]
            + [folder / f"probe{facts.suffix}", source]
        )
        code = (
            "import sys; sys.path.insert(0, '.'); import probe; "
            "print(probe.answer, sys._is_gil_enabled())"
        )
        answer = _ask(python, "-c", code, cwd=folder)
    except CommandError as error:
        raise refuse("headers", error.tail[-1] if error.tail else error) from None
    if answer != "42 False":
        raise refuse("headers", f"a small extension answered {answer!r}, not '42 False'")
    return "an extension compiled, loaded and left the GIL off"


def _check_threads(python: Path, refuse) -> str:
    if _ask(python, "-c", _AT_ONCE) != "True":
        raise refuse("threads", "a thread that never lets go kept another from running")
    cores, best = available_cores(), 0.0
    for _ in range(_ATTEMPTS):
        best = max(best, float(_ask(python, "-c", _THREADS)))
        if best >= _PARALLEL_SHARE:
            return f"two threads ran at once and used {best:.2f} cores"
    load = os.getloadavg()[0]
    if cores < 2 or load > cores:
        # on cores that others keep busy, the share says nothing of the interpreter
        return f"two threads ran at once; {cores} cores under load {load:.1f} gave them {best:.2f}"
    raise refuse("threads", f"two busy threads used {best:.2f} cores in {_ATTEMPTS} tries")
