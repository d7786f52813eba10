"""What this process may use of the machine: cores, memory, and so how many jobs at once."""

import math
import os
import re
from pathlib import Path

from snakedev.base import cgroup


def available_cores() -> int:
    """Cores that this process may use: those that it may run on, as far as quotas go.

    A part of a core counts as one, as the JVM and Go count it.
    """
    return int(min(len(os.sched_getaffinity(0)), _quota()))


def available_memory_gb(root: Path = Path("/")) -> float:
    """Memory that can be had now, in GB: the kernel's estimate, or what limits leave.

    ``root`` has proc/ and sys/.
    """
    found = re.search(r"^MemAvailable: +(\d+) kB$", _meminfo(root), re.MULTILINE)
    available = int(found[1]) * 1024 if found else math.inf
    return min(available, cgroup.available_memory(root)) / 1e9


def total_memory(root: Path = Path("/")) -> float:
    """All memory that this process may use, in bytes."""
    found = re.search(r"^MemTotal: +(\d+) kB$", _meminfo(root), re.MULTILINE)
    return min(int(found[1]) * 1024 if found else math.inf, cgroup.memory_limit(root))


def parallel_jobs(cores: int, memory_per_job_gb: float, root: Path = Path("/")) -> int:
    """How many compilations may run at once on these cores and the memory there is now."""
    by_memory = available_memory_gb(root) / memory_per_job_gb
    return max(1, int(min(cores, _quota(root), by_memory)))


def _quota(root: Path = Path("/")) -> float:
    quota = cgroup.available_processors(root)
    return math.ceil(quota) if math.isfinite(quota) else quota


def _meminfo(root: Path) -> str:
    return (root / "proc/meminfo").read_text(encoding="ascii")
