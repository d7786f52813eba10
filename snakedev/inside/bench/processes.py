"""What the processes of an engine are, what memory they have, and whether their GIL is on.

Runs inside a run environment, which has psutil.
"""

from collections.abc import Mapping
from typing import Any

import psutil

from snakedev.inside.plugin import snakedev_probe


def processes(leader: int, variables: Mapping[str, str]) -> list[dict[str, Any]]:
    """The leader and all that it started, as they are now: role, memory in bytes, GIL.

    ``variables`` are what it was started with: those of the probe let it be asked for its GIL.
    `pss` counts pages that several processes share in part, so that it can be added up; `gil` is
    None for a process that has no vLLM in it.
    """
    run = variables.get(snakedev_probe.VARIABLE)
    states = {state["pid"]: state for state in snakedev_probe.ask(run)} if run else {}
    described = []
    first = psutil.Process(leader)
    for process in (first, *first.children(recursive=True)):
        try:
            memory, name = process.memory_full_info(), _name(process)
        except psutil.Error:
            continue  # it ended meanwhile
        state = states.get(process.pid)
        described.append(
            {
                "role": str(state["role"]) if state else name,
                "gil": state["gil_enabled"] if state else None,
                "rss": memory.rss,
                "pss": memory.pss,
                "threads": process.num_threads(),
            }
        )
    return described


def _name(process: psutil.Process) -> str:
    """What a process is, from its command line."""
    line = " ".join(process.cmdline())
    for part, name in (
        ("resource_tracker", "resource tracker"),
        ("forkserver", "fork server"),
        ("VLLM::", line.partition("VLLM::")[2].split(" ")[0]),
    ):
        if part in line:
            return name
    return process.name()
