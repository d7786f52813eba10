"""Which extension modules bring the GIL back, and whether importing vLLM does.

Runs inside the run environment without PYTHON_GIL: `gil_modules.py MODULES RESULT`, both JSON.
Only the first module that needs the GIL is ever warned of, since the GIL stays on from then.
So each one is loaded by itself, in a fork of a process whose GIL is still off.
"""

import importlib.machinery
import importlib.util
import json
import os
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

_QUIET = os.open(os.devnull, os.O_WRONLY)
_WARNED = re.compile(r"\(GIL\) has been enabled to load module '([^']+)'")


def state(name: str, file: str) -> str:
    """`off` or `on` after loading an extension alone, or why that cannot be said."""
    if name in sys.modules:
        return "off"  # loaded with torch, and the GIL is still off
    alone = _in_fork(_load, name, file)
    return alone if alone in ("on", "off") else _in_fork(_import, name)


def _in_fork(action: Callable[..., str], *arguments: str) -> str:
    """What an action answers in a fork of this process."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.dup2(_QUIET, 1)
        os.dup2(_QUIET, 2)
        try:
            answer = action(*arguments)
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(write, answer.encode()[:1000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read, encoding="utf-8", errors="replace") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    return answer or f"ended with status {status}"


def _load(name: str, file: str) -> str:
    """Load the file itself, without its package, whose other modules might need the GIL."""
    loader = importlib.machinery.ExtensionFileLoader(name, file)
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    try:
        loader.exec_module(loader.create_module(spec))
    except Exception:
        if not sys._is_gil_enabled():
            raise
    return "on" if sys._is_gil_enabled() else "off"


def _import(name: str) -> str:
    """Import a module that does not load without its package; Python's warning says who it was."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        importlib.import_module(name)
    if not sys._is_gil_enabled():
        return "off"
    first = [found[1] for warning in caught if (found := _WARNED.search(str(warning.message)))]
    return "on" if first == [name] else f"unknown: {first} came before it"


def _import_vllm() -> dict[str, object]:
    """Import vLLM as a user does; the GIL's state then, and what Python says brought it back."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        try:
            from vllm import LLM  # noqa: F401

            problem = None
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
    warned = [found[1] for warning in caught if (found := _WARNED.search(str(warning.message)))]
    return {"gil_enabled": sys._is_gil_enabled(), "first": warned, "problem": problem}


def main(modules_file: Path, result_file: Path) -> None:
    """Load every module alone, then import vLLM in this process."""
    modules = json.loads(modules_file.read_bytes())
    # extensions of packages that build on torch need its libraries, and torch leaves the GIL off
    import torch  # noqa: F401

    result = {"torch": sys._is_gil_enabled(), "modules": {n: state(n, f) for n, f in modules}}
    result["vllm"] = _import_vllm()
    result_file.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
