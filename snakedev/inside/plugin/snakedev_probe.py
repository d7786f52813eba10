"""A vLLM plugin that lets every process of an engine say in what state its GIL is.

vLLM loads general plugins in the front end, in the engine core and in every worker, and each of
them is a Python of its own. The plugin starts a thread that answers on a Unix socket in Linux's
abstract namespace, which ends with its process; `ask` finds the sockets by name and asks all.
Runs inside the run environment: standard library only.
"""

import json
import multiprocessing
import os
import resource
import socket
import sys
import sysconfig
import threading
from importlib.machinery import EXTENSION_SUFFIXES

VARIABLE = "SNAKEDEV_PROBE"
"""The variable that names a run: the common start of its sockets' names."""
_TIMEOUT_SECONDS = 20


def serve() -> None:
    """Answer for this process until it ends; does nothing outside a smoke run."""
    run = os.environ.get(VARIABLE)
    if not run:
        return
    _listen(run)
    # a process that is forked has loaded its plugins, and none of the threads
    os.register_at_fork(after_in_child=lambda: _listen(run))


def ask(run: str) -> list[dict[str, object]]:
    """What all living processes of a run say of themselves, in the order of their ids."""
    with open("/proc/net/unix", encoding="ascii", errors="replace") as table:
        names = {line.split()[-1] for line in table if f" @{run}-" in line}
    return [_asked(name) for name in sorted(names, key=lambda name: int(name.rpartition("-")[2]))]


def state() -> dict[str, object]:
    """This process's part in the engine, its GIL, its memory and its extension modules."""
    return {
        "role": role(multiprocessing.current_process().name),
        "pid": os.getpid(),
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "gil_enabled": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "gil_setting": os.environ.get("PYTHON_GIL"),
        "threads": threading.active_count(),
        "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "extensions": _extensions(),
    }


def role(process: str) -> str:
    """What a process of that multiprocessing name is in a vLLM engine."""
    if process == "MainProcess":
        return "front end"
    kind, _, number = process.partition("-")
    if kind == "VllmWorker":
        return f"worker {number}"
    kind, _, number = process.partition("_DP")
    return f"engine core {number}".strip() if kind == "EngineCore" else process


def _listen(run: str) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"\0{run}-{os.getpid()}")
    listener.listen()
    threading.Thread(target=_answer, args=(listener,), name=VARIABLE.lower(), daemon=True).start()


def _answer(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(json.dumps(state()).encode())


def _asked(name: str) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_TIMEOUT_SECONDS)
        connection.connect(name.replace("@", "\0", 1))
        parts = iter(lambda: connection.recv(1 << 16), b"")
        return json.loads(b"".join(parts))


def _extensions() -> int:
    """How many extension modules are loaded."""
    found = set()
    for module in list(sys.modules.values()):
        spec = getattr(module, "__spec__", None)
        file = getattr(spec, "origin", None)
        if spec is not None and isinstance(file, str) and file.endswith(tuple(EXTENSION_SUFFIXES)):
            found.add(spec.name)
    return len(found)
