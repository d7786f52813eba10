"""What control groups leave a process of memory and processor time.

The limits of a process are those of its own group and of all groups above it, as far as they can be
seen: containers, batch systems and systemd nest them. /proc/self/cgroup names the process's group
in each hierarchy (version 2 has one, whose line begins with `0::`), and /proc/self/mountinfo says
where that is mounted, and from which group on: cgroups(7), proc(5).

Standard library only: programs of snakedev/inside/ import it in other Pythons.
"""

import math
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# Memory counts as the kubelet counts it: page cache that was not used lately can be had back. The
# kernel has that of the groups below in a group's numbers too; version 1 by the names of `total_`.
_MEMORY = {
    "cgroup2": (("memory.max", "memory.high"), "memory.current", "inactive_file"),
    "cgroup": (
        ("memory.limit_in_bytes",),
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
}


def memory_limit(root: Path = Path("/")) -> float:
    """The least limit of memory, in bytes; infinite without any. ``root`` has proc/ and sys/."""
    return min((limit for _, _, limit in _memory_limits(root)), default=math.inf)


def available_memory(root: Path = Path("/")) -> float:
    """What limits leave of memory, in bytes, beside what is in use; infinite without any."""
    left = math.inf
    for kind, group, limit in _memory_limits(root):
        _, current, cache = _MEMORY[kind]
        found = re.search(rf"^{cache} (\d+)$", _read(group / "memory.stat"), re.MULTILINE)
        used = _number(group / current) - (float(found[1]) if found else 0)
        left = min(left, max(0, limit - (used if math.isfinite(used) else 0)))
    return left


def available_processors(root: Path = Path("/")) -> float:
    """How many processors' time may be used at once, as 1.5; infinite without a quota."""
    quotas = [math.inf]
    for kind, group in _groups(root, "cpu"):
        if kind == "cgroup2":
            quota, _, period = _read(group / "cpu.max").partition(" ")
        else:
            quota, period = _read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us")
        # `max`, and -1 before version 2, stand for none
        if quota.isdigit() and period.isdigit() and int(period):
            quotas.append(int(quota) / int(period))
    return min(quotas)


def _memory_limits(root: Path) -> Iterator[tuple[str, Path, float]]:
    for kind, group in _groups(root, "memory"):
        limit = min(_number(group / name) for name in _MEMORY[kind][0])
        if math.isfinite(limit):
            yield kind, group, limit


@cache
def _groups(root: Path, controller: str) -> tuple[tuple[str, Path], ...]:
    """The folders of the process's group and of those above it, with the kind of hierarchy.

    A controller is in one hierarchy only; the other one has no files of it.
    """
    found: list[tuple[str, Path]] = []
    paths: dict[str, str] = {}
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            paths["cgroup2"] = path
        elif controller in controllers.split(","):
            paths["cgroup"] = path
    for line in _read(root / "proc/self/mountinfo").splitlines():
        # ID PARENT DEVICE MOUNTED-FROM PLACE OPTIONS [FIELD…] - KIND SOURCE SUPER-OPTIONS
        mount, _, system = line.partition(" - ")
        kind, _, options = system.partition(" ")
        if kind not in paths or (
            kind == "cgroup" and controller not in options.rpartition(" ")[2].split(",")
        ):
            continue
        base, place = (_unescaped(word) for word in mount.split(" ")[3:5])
        top = root / place.lstrip("/")
        group, from_top = top, Path(paths[kind])
        # a container may see its own group as the top, under another name or the same
        if from_top.is_relative_to(base) and ".." not in from_top.parts:
            group = top / from_top.relative_to(base)
        above = [folder for folder in group.parents if folder.is_relative_to(top)]
        found += [(kind, folder) for folder in (group, *above)]
    return tuple(found)


def _unescaped(word: str) -> str:
    """A path of mountinfo, in which spaces and the like are octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), word)


def _number(path: Path) -> float:
    text = _read(path)
    return float(text) if text.isdigit() else math.inf


def _read(path: Path) -> str:
    """A file's text; nothing of one that is not there, or not to be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
