"""Load one extension in this interpreter and print the GIL's state after it, as JSON.

Run by the free-threaded interpreter itself, without PYTHON_GIL: `extension_probe.py MODULE FILE`.
It stands alone, since that interpreter has none of the workflow's packages.
"""

import importlib
import importlib.machinery
import importlib.util
import json
import sys

# Packages whose import makes libraries known that extensions of other packages are linked to.
LENDERS = ("torch", "tvm_ffi")


def load(module: str, file: str) -> str:
    """`off` or `on` for a Python module, `library` for a shared object without an init function.

    Raises ImportError or OSError when it does not load, also with the lenders' libraries.
    """
    package, _, name = module.rpartition(".")
    names = [module]
    if package.rpartition(".")[2] == name:
        # it may take the place of its package, as cv2's does
        names.append(package)
    lenders = [name for name in LENDERS if importlib.util.find_spec(name) is not None]
    while True:
        loader = importlib.machinery.ExtensionFileLoader(names[0], file)
        spec = importlib.util.spec_from_file_location(names[0], file, loader=loader)
        assert spec is not None
        try:
            loader.exec_module(loader.create_module(spec))
            return "on" if sys._is_gil_enabled() else "off"
        except ImportError as error:
            if "does not define module export function" in str(error):
                return "library"
            if not lenders and len(names) > 1:
                names.pop(0)
                continue
            if not lenders:
                raise
            lender = lenders.pop(0)
            importlib.import_module(lender)
            if sys._is_gil_enabled():
                raise ImportError(f"{error}; and importing {lender} turned the GIL on") from None


if __name__ == "__main__":
    try:
        result = {"state": load(*sys.argv[1:])}
    except (ImportError, OSError) as error:
        result = {"error": str(error)}
    print(json.dumps(result))
