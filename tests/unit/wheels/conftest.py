"""What the checks of wheels need beside these."""

import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A build environment without packages."""
    made = tmp_path / "environment"
    command = [find_uv_bin(), "venv", "--quiet", "--no-config", "--python", sys.executable, made]
    subprocess.run(command, check=True)
    (site_packages,) = made.glob("lib/python*/site-packages")
    # an answer of ordinary Pythons that are too old to have one
    gil = "import sys; sys._is_gil_enabled = getattr(sys, '_is_gil_enabled', lambda: False)\n"
    (site_packages / "gil.pth").write_text(gil)
    return made


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A shared object that loads and is no Python module."""
    path = tmp_path_factory.mktemp("library") / "library.so"
    subprocess.run(["cc", "-shared", "-x", "c", "/dev/null", "-o", path], check=True)
    return path.read_bytes()
