"""What a plan takes to be there, and the stamps by which Snakemake sees it."""

from pathlib import Path

import pytest

from snakedev.config.repos import PackageModel
from snakedev.store.artifacts import Artifacts
from snakedev.store.layout import Layout
from snakedev.store.specs import ModelSpec

MODEL = PackageModel(package="tiny", version="1", sha256="0" * 64, file="tiny.gguf")
SPEC = ModelSpec(name="tiny", model=MODEL, recipe_number=1)


@pytest.mark.parametrize("left", ["", "{"])
def test_what_a_power_failure_has_left_of_a_record_does_not_stand(
    tmp_path: Path, left: str
) -> None:
    artifacts = Artifacts(Layout(tmp_path / "results"))
    record = artifacts.record(SPEC)
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    stamp = artifacts.stamp(SPEC)
    assert artifacts.stands(SPEC) and stamp.read_text() == "{}"
    # the stamp alone, and then the record
    stamp.write_text(left)
    assert artifacts.stamp(SPEC).read_text() == "{}"
    record.write_text(left)
    assert not artifacts.stands(SPEC)
    assert not artifacts.stamp(SPEC).exists()
