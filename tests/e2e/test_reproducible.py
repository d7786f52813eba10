"""Every default wheel, built twice in different folders, is the same byte for byte."""

import hashlib
import json
import shutil

import pytest

from tests.e2e.conftest import Clone

pytestmark = pytest.mark.e2e


def wheels(clone: Clone) -> dict[str, str]:
    """sha256 of each current wheel of the cpu variant by its file name."""
    clone.snakemake("wheelhouse")
    house = clone.folder / "results/wheelhouse/cpu"
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in house.glob("*.whl")}


def test_every_default_wheel_is_the_same_in_another_folder(clone, tmp_path):
    other = Clone(tmp_path / "another" / "folder-with-a-longer-name", clone.tools)
    # with the patches that earlier tests have left in the first: its build tree is warm then
    shutil.copytree(clone.folder / "patches", other.folder / "patches", dirs_exist_ok=True)
    found = wheels(clone)
    assert len(found) >= 4
    assert wheels(other) == found
    records = [json.loads(f.read_text()) for f in other.folder.glob("results/wheels/*/*/*/*.json")]
    assert {record["paths"] for record in records} == {"fixed"}
