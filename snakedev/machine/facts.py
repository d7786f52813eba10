"""What a record says of the machine that a figure was measured on."""

import platform
from collections import Counter

from snakedev.base.capacity import available_cores, total_memory
from snakedev.base.cpu import processor
from snakedev.machine import gpus


def machine_facts(variant: str) -> dict[str, str]:
    """This machine's CPU, cores, memory, kernel and libc, and for cuda its GPUs, for a reader."""
    return {
        "cpu": processor(),
        "cores": str(available_cores()),
        "memory": f"{total_memory() / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
    } | (_gpu_facts() if variant == "cuda" else {})


def _gpu_facts() -> dict[str, str]:
    """NVIDIA's GPUs as their driver names them, and its version."""
    rows = gpus.nvidia("name", "memory.total", "driver_version")
    counts = Counter(f"{name}, {memory}" for name, memory, _ in rows)
    names = [f"{count} x {name}" if count > 1 else name for name, count in counts.items()]
    return {"gpu": "; ".join(names), "driver": rows[0][2]} if rows else {}
