"""What this machine's CPU is called. Standard library only."""

import platform
import re
from pathlib import Path


def processor() -> str:
    """The model of the CPU, as /proc/cpuinfo names it; else its architecture."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()
