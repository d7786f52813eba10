"""Load one extension in this interpreter and print the GIL's state after it, as JSON.

Run by the free-threaded interpreter itself, without PYTHON_GIL: `extension_probe.py MODULE FILE`.
It stands alone, since that interpreter has none of the workflow's packages.
"""

import importlib
import importlib.machinery
import importlib.util
import json
import sys


def load(module: str, file: str) -> str:
    """`off` or `on` for a Python module, `library` for a shared object without an init function.

    Raises ImportError or OSError when it does not load.
    """
    if importlib.util.find_spec("torch") is not None:
        # extensions of packages that build on torch need its libraries loaded
        importlib.import_module("torch")
    loader = importlib.machinery.ExtensionFileLoader(module, file)
    spec = importlib.util.spec_from_file_location(module, file, loader=loader)
    try:
        loader.exec_module(loader.create_module(spec))
    except ImportError as error:
        if "does not define module export function" not in str(error):
            raise
        return "library"
    return "on" if sys._is_gil_enabled() else "off"


if __name__ == "__main__":
    try:
        result = {"state": load(*sys.argv[1:])}
    except (ImportError, OSError) as error:
        result = {"error": str(error)}
    print(json.dumps(result))
