"""Load one extension in this interpreter and print the GIL's state after it, as JSON.

Run by the free-threaded interpreter itself, without PYTHON_GIL:
`extension_probe.py alone|packaged SITE MODULE FILE`, where SITE is the folder that the wheel is
installed in. It stands alone, since that interpreter has none of the workflow's packages.
"""

import importlib
import importlib.machinery
import importlib.util
import json
import os
import re
import sys
import types
import warnings
from pathlib import Path

# Packages whose import makes libraries known that extensions of other packages are linked to.
LENDERS = ("torch", "tvm_ffi")


def load(module: str, file: str, *, packaged: bool = False) -> str:
    """`off` or `on` for a Python module, `library` for a shared object without an init function.

    Alone, the packages that it lies in are there, and what it imports of them is found, but their
    own code does not run, which may ask for packages that no build needs. ``packaged`` has them
    imported first. Raises what the import raises, also with the lenders' libraries.
    """
    had_gil = _gil_is_on()
    package, _, name = module.rpartition(".")
    names = [module]
    if package.rpartition(".")[2] == name:
        # it may take the place of its package, as cv2's does
        names.append(package)
    if not packaged:
        _stand_in(package, Path(file).parent)
    elif package:
        _import(package, module)
    lenders = [name for name in LENDERS if importlib.util.find_spec(name) is not None]
    while True:
        try:
            if names[0] not in sys.modules or names[0] == package:
                _load(names[0], file)
            return "on" if _gil_is_on() else "off"
        except ImportError as error:
            if "does not define module export function" in str(error):
                return "library"
            if not lenders and len(names) > 1:
                names.pop(0)
                continue
            if not lenders or isinstance(error, ModuleNotFoundError):
                raise
            lender = lenders.pop(0)
            importlib.import_module(lender)
            if _gil_is_on() and not had_gil:
                raise ImportError(f"{error}; and importing {lender} turned the GIL on") from None


def _gil_is_on() -> bool:
    """Always, in ordinary interpreters; those before 3.13 do not say so."""
    return getattr(sys, "_is_gil_enabled", lambda: True)()


def _stand_in(package: str, folder: Path) -> None:
    """Have a package and those around it in the way of folders without an `__init__.py`."""
    while package:
        if package not in sys.modules:
            empty = types.ModuleType(package)
            empty.__path__ = [str(folder)]
            sys.modules[package] = empty
        package, folder = package.rpartition(".")[0], folder.parent


def _import(package: str, module: str) -> None:
    """Import a package; raises ImportError when another extension than this one needs the GIL."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        importlib.import_module(package)
    for one in told:
        holder = re.search(r"GIL\) has been enabled to load module '([^']+)'", str(one.message))
        if holder and holder[1] not in (module, module.rpartition(".")[2]):
            raise ImportError(f"importing {package} loads {holder[1]}, which turns the GIL on")


def _load(name: str, file: str) -> None:
    loader = importlib.machinery.ExtensionFileLoader(name, file)
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    assert spec is not None
    before = sys.modules.get(name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        raise


def _answer(how: str, site: str, module: str, file: str) -> dict[str, str]:
    sys.path.insert(0, site)
    try:
        return {"state": load(module, file, packaged=how == "packaged")}
    except BaseException as error:  # whatever a module's own code raises, SystemExit included
        said = str(error) if isinstance(error, (ImportError, OSError)) else _named(error)
        # the path is that of the file where the loader itself refused it
        by = {"by": "loader"} if getattr(error, "path", None) == file else {}
        return {"error": said} | by | _missing(error)


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _missing(error: BaseException | None) -> dict[str, str]:
    """The package that was not there, if that is what an error comes of."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError):
            return {"missing": (error.name or "").partition(".")[0]}
        error = error.__cause__ or error.__context__
    return {}


if __name__ == "__main__":
    # what modules print as they are imported is no part of the answer
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print(json.dumps(_answer(*sys.argv[1:])), file=answers, flush=True)
