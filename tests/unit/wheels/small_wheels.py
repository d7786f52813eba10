"""Small wheels, which may have one thing wrong with them, and how the check takes them."""

import sys
import zipfile
from functools import partial
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.wheels import check as wheel_check

SELF = f"cp{sys.version_info.major}{sys.version_info.minor}"
"""This Python's ABI, which stands for the free-threaded one's."""
METADATA = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\nRequires-Dist: needed>=1\n"
BINARY = f"tiny-1.0-{SELF}-{SELF}-linux_x86_64.whl"
CTYPES = "tiny-1.0-py3-none-linux_x86_64.whl"
PURE = "tiny-1.0-py3-none-any.whl"
check = partial(wheel_check.check, abi=SELF)


def made(
    folder: Path, name: str = PURE, metadata: str | None = METADATA, **members: str | bytes
) -> Path:
    """A wheel of this name, with METADATA (none at all for None) and members."""
    path = folder / name
    info = "-".join(name.split("-")[:2]) + ".dist-info"
    files: dict[str, str | bytes] = {
        "tiny/__init__.py": "",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n",
        **members,
    }
    if metadata is not None:
        files[f"{info}/METADATA"] = metadata
    files[f"{info}/RECORD"] = "".join(f"{member},,\n" for member in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in files.items():
            archive.writestr(member, content)
    return path


def refused(wheel: Path, environment: Path, running: Job) -> str:
    """Why a wheel is refused; the reason always begins with its name."""
    with pytest.raises(UserError) as raised:
        check(wheel, "tiny", "1.0", environment, running)
    name, _, reason = str(raised.value).partition(": ")
    assert name == wheel.name
    assert "\n" not in reason
    return reason
