"""A vLLM plugin: on a signal, every process of an engine writes the Python stacks of its threads.

Runs inside the run environment: standard library only.
"""

import faulthandler
import signal

registered: list[int] = []
"""An entry for each time that `register` has run in this process."""


def register() -> None:
    """Have this process answer the signal that the parent of a stress run sends to one that hangs
    (STACKS in child.py)."""
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    registered.append(signal.SIGUSR1)
