"""What this process may use of the machine: cores, memory, and so how many jobs at once."""

import math
import os
import re
from pathlib import Path

from snakedev.base import cgroup


def available_cores() -> int:
    """Cores that this process may use: those that it may run on, as far as quotas go and as a batch
    system gave them.

    A part of a core counts as one, as the JVM and Go count it.
    """
    return int(min(len(os.sched_getaffinity(0)), _quota()))


def available_memory_gb(root: Path = Path("/")) -> float:
    """Memory that can be had now, in GB: the kernel's estimate, or what limits leave, or what a
    batch system gave.

    ``root`` has proc/ and sys/.
    """
    found = re.search(r"^MemAvailable: +(\d+) kB$", _meminfo(root), re.MULTILINE)
    available = int(found[1]) * 1024 if found else math.inf
    return min(available, cgroup.available_memory(root), _slurm_memory()) / 1e9


def total_memory(root: Path = Path("/")) -> float:
    """All memory that this process may use, in bytes."""
    found = re.search(r"^MemTotal: +(\d+) kB$", _meminfo(root), re.MULTILINE)
    total = int(found[1]) * 1024 if found else math.inf
    return min(total, cgroup.memory_limit(root), _slurm_memory())


def parallel_jobs(
    cores: int, memory_per_job_gb: float, root: Path = Path("/"), *, given_gb: float = math.inf
) -> int:
    """How many compilations may run at once on these cores and the memory there is now, of which
    ``given_gb`` may be used."""
    by_memory = min(available_memory_gb(root), given_gb) / memory_per_job_gb
    return max(1, int(min(cores, _quota(root), by_memory)))


def _quota(root: Path = Path("/")) -> float:
    quota = cgroup.available_processors(root)
    return min(math.ceil(quota) if math.isfinite(quota) else quota, _slurm_cores())


# What Slurm gave to a job's step, also where no control group holds it to that: srun(1).
def _slurm_cores() -> float:
    return _slurm("CPUS_PER_TASK") or _slurm("CPUS_ON_NODE") or math.inf


def _slurm_memory() -> float:
    whole, by_core = _slurm("MEM_PER_NODE"), _slurm("MEM_PER_CPU")
    return (whole or (by_core or math.inf) * _slurm_cores()) * 2**20


def _slurm(name: str) -> int:
    value = os.environ.get(f"SLURM_{name}", "")
    return int(value) if value.isdigit() else 0


def _meminfo(root: Path) -> str:
    return (root / "proc/meminfo").read_text(encoding="ascii")
