"""Making an image of a run environment."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from snakedev import inside
from snakedev.base.job import Job
from snakedev.base.records import Record
from snakedev.environments.environment import EnvironmentRecord
from snakedev.fetch.debian import DebianPackages
from snakedev.images import base, contents
from snakedev.images.archive import ImageArchive
from snakedev.images.base_lock import suites
from snakedev.images.layer import EPOCH, Entry, Layer
from snakedev.images.libraries import without_unused
from snakedev.store.image_spec import ImageSpec
from snakedev.store.publish import found, published

ARCHIVE = "image.tar"
_BYTE_COMPILE = inside.FOLDER / "byte_compile.py"
PLATFORM = {"architecture": "amd64", "os": "linux"}
_PORT = "8000/tcp"


class ImageRecord(Record):
    """image.json: what an image holds."""

    key: str
    variant: str
    name: str
    """The name and tag that it is loaded under."""
    digest: str
    """Its manifest's: what tools call the image's digest."""
    layers: tuple[Layer, ...]
    """From the lowest."""
    environment_key: str
    """Empty for the image of the workflow, which has none."""
    bytes: int
    """Size of the archive."""
    seconds: float

    def tell(self, running: Job) -> None:
        """Say what of the image takes how much."""
        for layer in self.layers:
            running.say(
                f"{layer.name}: {layer.unpacked / 1e6:.0f} MB, {layer.size / 1e6:.0f} packed"
            )
        running.say(f"{self.name}: {self.bytes / 1e9:.2f} GB, in {self.seconds:.0f} s")


def make_image(
    spec: ImageSpec,
    environment: Path,
    debian: DebianPackages,
    final: Path,
    threads: int,
    running: Job,
) -> ImageRecord:
    """Make the image of an environment and publish it, or find it in the store.

    Raises UserError for a package of the base that the mirror has no longer, and for an
    environment that no image can hold.
    """
    if record := found(final / spec.record_name, ImageRecord, running):
        return record
    debs = debian.pinned(spec.base, suites(spec.suite), "snakemake image_lock")
    known = EnvironmentRecord.read(environment / "env.json")
    python = environment.absolute() / "bin" / "python"
    built_here = {package.name for package in known.packages if package.built_here}
    layers = {
        "interpreter": [*contents.interpreter_entries(python)],
        **contents.environment_entries(environment, built_here),
    }
    if spec.variant == "cpu":
        layers = without_unused(layers)
    with published(final) as scratch:
        path = scratch / ARCHIVE
        with (
            tempfile.TemporaryDirectory(dir=scratch) as place,
            ThreadPoolExecutor(threads) as pool,
            running.telling_size(path),
            ImageArchive(path) as archive,
        ):
            compiled = {
                name: pool.submit(byte_compiled, entries, [python], Path(place, name), running)
                for name, entries in layers.items()
            }
            archive.add_layer("base", base.base_entries(debs))
            for name, entries in layers.items():
                bytecode = compiled[name].result()
                if entries:
                    archive.add_layer(name, [*entries, *bytecode])
            digest = archive.finish(_configuration(spec, known), spec.name, PLATFORM)
        record = ImageRecord(
            key=spec.key,
            variant=spec.variant,
            name=spec.name,
            digest=digest,
            layers=tuple(archive.layers),
            environment_key=spec.environment_key,
            bytes=path.stat().st_size,
            seconds=round(running.seconds, 1),
        )
        record.write(scratch / spec.record_name)
    record.tell(running)
    return record


def byte_compiled(
    entries: Sequence[Entry],
    python: Sequence[Path | str],
    scratch: Path,
    running: Job,
    variables: Mapping[str, str] | None = None,
) -> list[Entry]:
    """The bytecode of a layer's Python files, by the command ``python``.

    One process compiles all of them, in one order, on which the bytes depend.
    """
    scratch.mkdir()
    request, target = scratch / "request.json", scratch / "root"
    files = [(str(source), shown) for source, shown in contents.python_files(entries)]
    request.write_text(json.dumps(files), encoding="utf-8")
    running.run(
        [*python, "-S", "-s", "-P", _BYTE_COMPILE, request, target],
        env={"PYTHONHASHSEED": "0", "LANG": "C.UTF-8", **(variables or {})},
    )
    found = target.rglob("*.pyc")
    return [Entry(str(file.relative_to(target)), content=file) for file in found]


def _configuration(spec: ImageSpec, environment: EnvironmentRecord) -> dict[str, Any]:
    """What containers run with."""
    variables = {"PYTHONUNBUFFERED": "1", **spec.variables}
    if environment.cuda_toolkit:
        variables["CUDA_HOME"] = f"{contents.ENVIRONMENT}/{environment.cuda_toolkit}"
    return configuration(
        contents.ENVIRONMENT,
        variables,
        Entrypoint=["vllm", "serve"],
        ExposedPorts={_PORT: {}},
        Labels=spec.labels,
        WorkingDir=base.HOME,
    )


def configuration(home: str, variables: Mapping[str, str], **settings: Any) -> dict[str, Any]:
    """What containers of any image run with: the programs of an environment in ``home``, and what
    is the image's own."""
    shared = {
        "PATH": f"{home}/bin:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": base.HOME,
        "USER": base.USER,
        "SSL_CERT_FILE": base.CERTIFICATES,
    }
    return {
        "created": datetime.fromtimestamp(EPOCH, UTC).isoformat().replace("+00:00", "Z"),
        "config": {
            "Env": [f"{name}={value}" for name, value in {**shared, **variables}.items()],
            "User": str(base.USER_ID),
            **settings,
        },
    }
