"""What the vendors' own programs say of this machine's GPUs, and what shows that it changed.

Standard library only: tools/gpu/run.py asks on machines that have nothing else.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from snakedev.base.process import CommandError, output

# nvidia-smi takes some seconds for each GPU when nothing keeps the driver loaded.
SECONDS = 60.0
"""How long a program may take to answer."""
# What a driver shows of its GPUs: a folder with a file on each, and a device node.
_NVIDIA_DRIVER = "proc/driver/nvidia"
_AMD_DRIVER = "dev/kfd"


def nvidia(*fields: str, seconds: float = SECONDS) -> list[list[str]]:
    """What nvidia-smi answers to some of its query fields, for each GPU, such as `name`.

    None from one that is not there, that fails (as without a driver), or that hangs.
    """
    answer = _answer(
        ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"], seconds
    )
    # only the first field, the name, may have commas
    rows = [line.rsplit(",", len(fields) - 1) for line in answer.splitlines()]
    return [[field.strip() for field in row] for row in rows if len(row) == len(fields)]


def amd(seconds: float = SECONDS) -> list[tuple[str, str]]:
    """Name and architecture of each of AMD's GPUs, in rocminfo's order.

    Where it shows none, the older rocm_agent_enumerator is asked, which has no names.
    """
    # an agent is a CPU or a GPU; the names of instruction sets are indented further
    agents = re.findall(
        r"^  Name: +(gfx\w+) *\n(?:  \w.*\n)*?  Marketing Name: *(.*)$",
        _answer(["rocminfo"], seconds),
        re.MULTILINE,
    )
    if not agents:
        listed = _answer(["rocm_agent_enumerator"], seconds).split()
        agents = [(name, "") for name in listed if name.startswith("gfx") and name != "gfx000"]
    return [(name.strip(), architecture) for architecture, name in agents]


def watched(root: Path = Path("/")) -> tuple[list[Path], list[Path]]:
    """What differs when GPUs, drivers or their programs do: files by their time of change, and
    files of /proc, where times mean nothing, by their first line. ``root`` has proc/ and dev/."""
    programs = map(shutil.which, ("nvidia-smi", "rocminfo", "rocm_agent_enumerator"))
    driver = root / _NVIDIA_DRIVER
    return (
        [*(Path(program) for program in programs if program), root / _AMD_DRIVER],
        [driver / "version", *sorted(driver.glob("gpus/*/information"))],
    )


def _answer(command: list[str], seconds: float) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        return output(command, env=environment, cwd="/", timeout=seconds)
    except (CommandError, OSError, subprocess.TimeoutExpired):
        return ""
