"""The archive that an image is: an OCI image layout in a tar file, which docker reads, too.

Blobs are written straight into it. The header of one whose digest is known at its end is put in
its place then, so that gigabytes are written once.
"""

import hashlib
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from snakedev.images.layer import DATA, EPOCH, Entry, Layer, write_layer

_BLOCK = 512
_OCI = "application/vnd.oci.image"


class ImageArchive:
    """An archive that is written; whole when the block ends."""

    def __init__(self, path: Path):
        self._file = path.open("wb")
        self._blobs: set[str] = set()
        self.layers: list[Layer] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None
    ) -> None:
        self._file.close()

    def add_layer(self, name: str, entries: Iterable[Entry]) -> Layer:
        """Write the next layer, upon those before."""
        begin = self._file.tell()
        self._file.write(bytes(_BLOCK))
        layer = write_layer(name, entries, self._file)
        if layer.digest in self._blobs:  # another layer has these very bytes
            self._file.seek(begin)
            self._file.truncate()
        else:
            self._pad()
            end = self._file.tell()
            self._file.seek(begin)
            self._file.write(_header(_blob(layer.digest), layer.size))
            self._file.seek(end)
            self._blobs.add(layer.digest)
        self.layers.append(layer)
        return layer

    def finish(self, config: Mapping[str, Any], name: str, platform: Mapping[str, str]) -> str:
        """Write what makes an image of the layers, under a ``name`` with a tag; returns its digest,
        that of its manifest.

        ``config`` is what containers of it run with, as the image specification has it.
        """
        created = config["created"]
        whole = {
            **config,
            **platform,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{x.diff_id}" for x in self.layers]},
            "history": [{"created": created, "created_by": x.name} for x in self.layers],
        }
        described = self._described("config.v1+json", _json(whole))
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": described,
            "layers": [
                {
                    "mediaType": f"{_OCI}.layer.v1.tar+gzip",
                    "digest": f"sha256:{layer.digest}",
                    "size": layer.size,
                }
                for layer in self.layers
            ],
        }
        image = self._described("manifest.v1+json", _json(manifest))
        named = {
            "org.opencontainers.image.ref.name": name,
            "io.containerd.image.name": name,
        }
        index = {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.index.v1+json",
            "manifests": [{**image, "platform": platform, "annotations": named}],
        }
        self._add("index.json", _json(index))
        self._add("oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        of_docker = {
            "Config": _blob(described["digest"]),
            "RepoTags": [name],
            "Layers": [_blob(layer.digest) for layer in self.layers],
        }
        self._add("manifest.json", _json([of_docker]))
        self._file.write(bytes(2 * _BLOCK))
        return str(image["digest"])

    def _described(self, kind: str, data: bytes) -> dict[str, Any]:
        """Write a blob of a kind; returns what names it."""
        digest = hashlib.sha256(data).hexdigest()
        self._add(_blob(digest), data)
        return {"mediaType": f"{_OCI}.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    def _add(self, path: str, data: bytes) -> None:
        self._file.write(_header(path, len(data)))
        self._file.write(data)
        self._pad()

    def _pad(self) -> None:
        self._file.write(bytes(-self._file.tell() % _BLOCK))


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _header(path: str, size: int) -> bytes:
    info = tarfile.TarInfo(path)
    info.size, info.mode, info.mtime = size, DATA, EPOCH
    return info.tobuf(tarfile.GNU_FORMAT)


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
