"""This machine's CPU: what it can do.

Standard library only: programs of snakedev/inside/ import it in other Pythons.
"""

import os
import platform
import re
from collections.abc import Set
from pathlib import Path

# The instruction sets that vLLM's CPU kernels are compiled for, the least first, and the
# /proc/cpuinfo flags that each one needs (csrc/cpu/cpu_extension.cmake of vLLM).
_ISA_FLAGS = {
    "avx2": {"avx2", "fma"},
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
    "amx": {"avx512f", "avx512_bf16", "amx_bf16", "amx_tile"},
}
CPU_ISAS = tuple(_ISA_FLAGS)
"""The instruction sets that vLLM has a CPU extension for, each; a wheel for one of them is smaller
and takes a third of the time."""


def processor() -> str:
    """The model of the CPU, as /proc/cpuinfo names it; else its architecture."""
    found = re.search(r"^model name\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def cpu_flags(root: Path = Path("/")) -> frozenset[str]:
    """The features of this machine's CPU, as /proc/cpuinfo names them; ``root`` has proc/."""
    return flags_in(_cpuinfo(root))


def flags_in(cpuinfo: str) -> frozenset[str]:
    """The features that /proc/cpuinfo's text names, on x86 or Arm."""
    found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return frozenset(found[1].split()) if found else frozenset()


def best_isa(flags: Set[str]) -> str:
    """The best of CPU_ISAS that a CPU with these features has; 'none' without any."""
    return next((name for name in reversed(CPU_ISAS) if _ISA_FLAGS[name] <= flags), "none")


def physical_cores() -> list[int]:
    """One CPU number for each physical core that this process may use."""
    chosen: dict[str, int] = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        core = siblings.read_text() if siblings.is_file() else str(cpu)
        chosen.setdefault(core, cpu)
    return sorted(chosen.values())


def _cpuinfo(root: Path = Path("/")) -> str:
    file = root / "proc/cpuinfo"
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
