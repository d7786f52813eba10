"""Every default wheel, built twice in different folders, is the same byte for byte."""

import hashlib
import shutil

import pytest

from tests.e2e.conftest import Clone

pytestmark = pytest.mark.e2e


def wheels(clone: Clone) -> dict[str, str]:
    """sha256 of each current wheel by its file name."""
    clone.snakemake("wheelhouse")
    house = clone.folder / "results/wheelhouse/cpu"
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in house.glob("*.whl")}


def test_every_default_wheel_is_the_same_in_another_folder(clone, tmp_path):
    other = Clone(tmp_path / "another" / "folder-with-a-longer-name", clone.tools)
    shutil.copytree(clone.folder / "patches", other.folder / "patches", dirs_exist_ok=True)
    assert wheels(other) == wheels(clone)
