"""Model folders: what goes wrong with a package's file, and what a record says."""

import hashlib
import json
import sys
import zipfile
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.config.repos import PackageModel
from snakedev.inference.model import describe, make_model, sound_model
from snakedev.store.layout import Layout
from snakedev.store.specs import ModelSpec


def package_spec(layout: Layout, tmp_path: Path, *, file: str) -> ModelSpec:
    """The spec of a model in a wheel that is in the downloads already."""
    wheel = tmp_path / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny/tiny.gguf", b"GGUF, but not really")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    folder = layout.downloads / sha256
    folder.mkdir(parents=True)
    wheel.rename(folder / wheel.name)
    model = PackageModel(package="tiny", version="1", sha256=sha256, file=file)
    return ModelSpec(name="tiny", model=model, recipe_number=1)


def test_a_file_that_the_package_lacks_is_named(tmp_path: Path, running: Job) -> None:
    layout = Layout(tmp_path / "results")
    spec = package_spec(layout, tmp_path, file="tiny/other.gguf")
    with pytest.raises(
        UserError, match=r"has no file 'tiny/other\.gguf'; its GGUF files: tiny/tiny\.gguf"
    ):
        make_model(spec, layout, Path(sys.executable), running)


def test_a_conversion_that_fails_leaves_nothing(tmp_path: Path, running: Job) -> None:
    layout = Layout(tmp_path / "results")
    spec = package_spec(layout, tmp_path, file="tiny/tiny.gguf")
    with pytest.raises(CommandError):
        make_model(spec, layout, Path(sys.executable), running)
    assert not list((layout.root / "models" / "tiny").iterdir())


@pytest.mark.parametrize(
    ("config", "dtype"),
    [
        ({"dtype": "bfloat16"}, "bfloat16"),
        ({"torch_dtype": "float16"}, "float16"),
        ({"text_config": {"dtype": "float32"}}, "float32"),
        ({}, "unknown"),
    ],
)
def test_a_record_says_what_the_folder_holds(
    tmp_path: Path, config: dict[str, object], dtype: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"12345")
    model = PackageModel(package="tiny", version="1", sha256="0" * 64, file="tiny.gguf")
    record = describe(ModelSpec(name="tiny", model=model, recipe_number=1), tmp_path, 1.23)
    assert (record.dtype, record.architecture, record.seconds) == (dtype, "unknown", 1.2)
    assert record.source["package"] == "tiny"
    weights = record.files[1]
    assert (weights.name, weights.size) == ("model.safetensors", 5)
    assert weights.sha256 == hashlib.sha256(b"12345").hexdigest()


def test_a_folder_without_a_config_is_refused(tmp_path: Path) -> None:
    model = PackageModel(package="tiny", version="1", sha256="0" * 64, file="tiny.gguf")
    with pytest.raises(UserError, match=r"models\.tiny: it has no config\.json"):
        describe(ModelSpec(name="tiny", model=model, recipe_number=1), tmp_path, 1)


def test_weights_that_a_disk_has_damaged_are_not_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "tiny" / "key"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    weights = folder / "model.safetensors"
    weights.write_bytes(b"12345")
    model = PackageModel(package="tiny", version="1", sha256="0" * 64, file="tiny.gguf")
    describe(ModelSpec(name="tiny", model=model, recipe_number=1), folder, 1).write(
        folder / "model.json"
    )
    assert sound_model(folder) == folder
    weights.write_bytes(b"12344")
    with pytest.raises(UserError, match=r"was damaged \(model\.safetensors\) and is removed"):
        sound_model(folder)
    assert not folder.exists()
