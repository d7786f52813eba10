"""What a record says of the machine that a figure was measured on."""

import os
import platform
from collections import Counter

import psutil

from snakedev.base.cpu import processor
from snakedev.base.process import CommandError, output

_GPU_FACTS = "name,memory.total,driver_version"


def machine_facts(variant: str) -> dict[str, str]:
    """This machine's CPU, cores, memory, kernel and libc, and for cuda its GPUs, for a reader."""
    return {
        "cpu": processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
    } | (_gpus() if variant == "cuda" else {})


def _gpus() -> dict[str, str]:
    """The GPUs as their driver names them, with its version."""
    try:
        listed = output(["nvidia-smi", f"--query-gpu={_GPU_FACTS}", "--format=csv,noheader"])
    except (CommandError, OSError):
        return {}
    return gpu_facts(listed)


def gpu_facts(listed: str) -> dict[str, str]:
    """GPUs and driver, from nvidia-smi's lines of name, memory and driver version."""
    rows = [[field.strip() for field in line.split(",")] for line in listed.splitlines() if line]
    counts = Counter(f"{name}, {memory}" for name, memory, _ in rows)
    names = [f"{count} x {name}" if count > 1 else name for name, count in counts.items()]
    return {"gpu": "; ".join(names), "driver": rows[0][2]} if rows else {}
