"""What the processes of an engine are, what memory they have, and whether their GIL is on.

Runs inside a run environment, which has psutil.
"""

import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import psutil

from snakedev.inside.bench.turns import end
from snakedev.inside.plugin import snakedev_probe

_END_SECONDS = 30


def processes(leader: int, variables: Mapping[str, str]) -> list[dict[str, Any]]:
    """The leader and all that it started, as they are now: role, memory in bytes, GIL.

    ``variables`` are what it was started with: those of the probe let it be asked for its GIL.
    `pss` counts pages that several processes share in part, so that it can be added up; `gil` is
    None for a process that has no vLLM in it.
    """
    run = variables.get(snakedev_probe.VARIABLE)
    states = {state["pid"]: state for state in snakedev_probe.ask(run)} if run else {}
    described = []
    for process in _family(leader):
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


def processor_seconds(leader: int) -> float:
    """What the leader and all that it started have computed so far."""
    seconds = 0.0
    for process in _family(leader):
        with suppress(psutil.Error):
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds


def end_all(leader: subprocess.Popen) -> None:
    """End a process that leads a session with all that it started, and wait until they are gone:
    whoever comes next may need their memory."""
    family = _family(leader.pid)
    end(leader)
    until = time.monotonic() + _END_SECONDS
    while any(map(_lives, family)) and time.monotonic() < until:
        time.sleep(0.05)


def _family(leader: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(leader)
        return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


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
