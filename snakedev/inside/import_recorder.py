"""Import something, and record what every extension module does to the GIL on the way.

Runs inside the run environment: `import_recorder.py REQUEST RESULT`, both JSON. A request has
`code` (import statements), or `module` and `file` for an extension to load without its package;
`describe` names an extension whose definition is looked at afterwards. The result is written
after each part, so that a crash leaves what was known. Standard library only.
"""

import builtins
import ctypes
import importlib._bootstrap
import importlib.machinery
import importlib.util
import json
import re
import signal
import sys
import threading
import time
import types
import warnings
from pathlib import Path
from typing import Any

_WARNED = re.compile(r"\(GIL\) has been enabled to load module '([^']+)'")
# Of CPython's moduleobject.h.
_PY_MOD_GIL = 4
_PY_MOD_GIL_NOT_USED = 1
_PR_SET_PDEATHSIG = 1  # prctl(2)


class Recorder:
    """Watches imports: which are in progress, and the GIL before and after each extension."""

    def __init__(self) -> None:
        self.extensions: list[dict[str, Any]] = []
        self.importers: dict[str, set[str]] = {}
        self._local = threading.local()

    def install(self) -> None:
        """Watch all imports of this process from now on."""
        # what every import goes through: a finder or loader of our own would be seen by modules
        bootstrap: Any = importlib._bootstrap
        load, statement = bootstrap._load_unlocked, builtins.__import__

        def recorded_load(spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
            self._progress.append(spec.name)
            try:
                return load(spec)
            finally:
                self._progress.pop()

        # parameters as CPython names them: some call it with keywords
        def recorded_statement(
            name: str,
            globals: Any = None,
            locals: Any = None,
            fromlist: Any = (),
            level: int = 0,
        ) -> types.ModuleType:
            # a call of the function, other than the statement, may give no namespace
            importer = (globals or sys._getframe(1).f_globals).get("__name__")
            top = name.partition(".")[0]
            if level == 0 and importer and importer.partition(".")[0] != top:
                self.importers.setdefault(top, set()).add(importer)
            return statement(name, globals, locals, fromlist, level)

        bootstrap._load_unlocked = recorded_load
        builtins.__import__ = recorded_statement
        self._watch_extensions(importlib.machinery.ExtensionFileLoader)

    def result(self) -> dict[str, Any]:
        """What was seen so far."""
        return {
            "gil_enabled": sys._is_gil_enabled(),
            "extensions": self.extensions,
            "importers": {name: sorted(found) for name, found in self.importers.items()},
        }

    @property
    def _progress(self) -> list[str]:
        """The modules that this thread is importing, each for the one before it."""
        if not hasattr(self._local, "progress"):
            self._local.progress = []
        return self._local.progress

    def _watch_extensions(self, loader: Any) -> None:
        create = loader.create_module

        def recorded_create(own: Any, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
            seen = {
                "name": spec.name,
                "file": spec.origin,
                "chain": list(self._progress) or [spec.name],
                "before": sys._is_gil_enabled(),
                "after": None,
            }
            self.extensions.append(seen)
            try:
                return create(own, spec)
            finally:
                # by now CPython has settled it: it turns the GIL on only for the time of the
                # module's init function, and for good when the module does not do without
                seen["after"] = sys._is_gil_enabled()

        loader.create_module = recorded_create


def declaration(module: object) -> str | None:
    """What a loaded extension's definition says of the GIL; None where it has none to look at.

    `not used` and `used` are its Py_mod_gil slot, `no slot` is a multi-phase module without one,
    `single-phase` one that is created whole by its init function.
    """
    if not isinstance(module, types.ModuleType):
        return None

    class Slot(ctypes.Structure):
        _fields_ = (("id", ctypes.c_int), ("value", ctypes.c_void_p))

    class Definition(ctypes.Structure):
        _fields_ = (
            # PyModuleDef_Base, whose head is that of any object
            ("head", ctypes.c_byte * object.__basicsize__),
            ("init", ctypes.c_void_p),
            ("index", ctypes.c_ssize_t),
            ("copy", ctypes.c_void_p),
            ("name", ctypes.c_char_p),
            ("doc", ctypes.c_char_p),
            ("size", ctypes.c_ssize_t),
            ("methods", ctypes.c_void_p),
            ("slots", ctypes.POINTER(Slot)),
        )

    get = ctypes.pythonapi.PyModule_GetDef
    get.argtypes, get.restype = [ctypes.py_object], ctypes.POINTER(Definition)
    definition = get(module)
    if not definition:
        return None
    slots = definition.contents.slots
    if not slots:
        return "single-phase"
    position = 0
    while slots[position].id:
        if slots[position].id == _PY_MOD_GIL:
            return "not used" if slots[position].value == _PY_MOD_GIL_NOT_USED else "used"
        position += 1
    return "no slot"


def load_alone(name: str, file: str) -> None:
    """Load an extension from its file, without its package, whose modules might need the GIL."""
    loader = importlib.machinery.ExtensionFileLoader(name, file)
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    assert spec is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)


def main(request_file: Path, result_file: Path) -> None:
    """Do what the request asks and write the result."""
    # an import that hangs must not outlive who asked for it
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    request = json.loads(request_file.read_bytes())
    recorder = Recorder()
    recorder.install()
    result: dict[str, Any] = {"problem": None}

    def keep(**parts: Any) -> None:
        result.update(parts)
        part = result_file.with_suffix(".part")
        part.write_text(json.dumps(result), encoding="utf-8")
        part.replace(result_file)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        started = time.perf_counter()
        try:
            if "code" in request:
                exec(request["code"], {"__name__": "__main__"})
            else:
                load_alone(request["module"], request["file"])
        # a package may say sys.exit() to what it does not like
        except (Exception, SystemExit) as error:
            result["problem"] = f"{type(error).__name__}: {error}"
        seconds = time.perf_counter() - started
    warned = [found[1] for warning in caught if (found := _WARNED.search(str(warning.message)))]
    keep(seconds=seconds, warned=warned, **recorder.result())
    if (described := request.get("describe")) in sys.modules:
        keep(declares=declaration(sys.modules[described]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
