"""This machine's CPU and memory: what it can do, and how many jobs at once."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

CPU_ISAS = ("avx2", "avx512", "amx")
"""The instruction sets that vLLM has a CPU extension for, each; a wheel for one of them is smaller
and takes a third of the time."""


# The instruction sets that vLLM's CPU kernels are compiled for, and the /proc/cpuinfo flags that
# each one needs (csrc/cpu/cpu_extension.cmake of vLLM).
_ISA_FLAGS = {
    "amx": {"avx512f", "avx512_bf16", "amx_bf16", "amx_tile"},
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
    "avx2": {"avx2", "fma"},
}


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def available_memory_gb() -> float:
    """Memory that can be had now, in GB: the kernel's estimate, cut by a cgroup's limit."""
    fields = dict(
        line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines() if ":" in line
    )
    available = int(fields["MemAvailable"].split()[0]) * 1024
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        available = min(available, int(text))
    return available / 1e9


def parallel_jobs(cores: int, memory_per_job_gb: float) -> int:
    """How many compilations may run at once on these cores and the memory there is now."""
    return max(1, min(cores, int(available_memory_gb() / memory_per_job_gb)))


def best_isa(cpuinfo: str) -> str:
    """The best of vLLM's instruction sets that /proc/cpuinfo's text has; 'none' without any."""
    flags: set[str] = set()
    for line in cpuinfo.splitlines():
        if line.startswith("flags"):
            flags = set(line.split(":", 1)[1].split())
            break
    return next((name for name, needed in _ISA_FLAGS.items() if needed <= flags), "none")


def physical_cores() -> list[int]:
    """One CPU number for each core that this process may use."""
    chosen: dict[str, int] = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        core = siblings.read_text() if siblings.is_file() else str(cpu)
        chosen.setdefault(core, cpu)
    return sorted(chosen.values())


def cpu_flags() -> frozenset[str]:
    """The features of this machine's CPU, as /proc/cpuinfo names them."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", info, re.MULTILINE)
    return frozenset(found[1].split()) if found else frozenset()


def processor() -> str:
    """The model of the CPU, as /proc/cpuinfo names it; else its architecture."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()
