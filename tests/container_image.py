"""An image's archive as a tool that loads it reads it."""

import hashlib
import json
import tarfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Image:
    """What an archive holds, each digest checked."""

    digest: str
    manifest: dict[str, Any]
    config: dict[str, Any]
    docker: dict[str, Any]
    layers: list[bytes]
    """Each layer's tar archive."""

    @property
    def layer_digests(self) -> list[str]:
        """The digests of the compressed layers."""
        return [layer["digest"] for layer in self.manifest["layers"]]

    def members(self, layer: int) -> dict[str, tarfile.TarInfo]:
        """What a layer holds."""
        with tarfile.open(fileobj=BytesIO(self.layers[layer])) as archive:
            return {info.name: info for info in archive}

    def read(self, path: str) -> bytes:
        """A file of the image."""
        for data in reversed(self.layers):
            with tarfile.open(fileobj=BytesIO(data)) as archive:
                if path in archive.getnames():
                    file = archive.extractfile(path)
                    assert file is not None
                    return file.read()
        raise FileNotFoundError(path)

    @property
    def paths(self) -> set[str]:
        """All paths of all layers."""
        return {path for number in range(len(self.layers)) for path in self.members(number)}


def read_image(path: Path) -> Image:
    """Read an archive of one image; fails where a digest or size in it is not true."""
    with tarfile.open(path) as archive:
        files = {}
        for info in archive:
            file = archive.extractfile(info)
            assert file is not None and info.name not in files
            files[info.name] = file.read()
    for name, data in files.items():
        folder, _, digest = name.rpartition("/")
        assert folder != "blobs/sha256" or hashlib.sha256(data).hexdigest() == digest

    def blob(described: dict[str, Any]) -> bytes:
        data = files[f"blobs/sha256/{described['digest'].removeprefix('sha256:')}"]
        assert len(data) == described["size"]
        return data

    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (described,) = json.loads(files["index.json"])["manifests"]
    manifest = json.loads(blob(described))
    config = json.loads(blob(manifest["config"]))
    layers = [zlib.decompress(blob(layer), 31) for layer in manifest["layers"]]
    diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    assert config["rootfs"] == {"type": "layers", "diff_ids": diff_ids}
    (docker,) = json.loads(files["manifest.json"])
    assert json.loads(files[docker["Config"]]) == config
    names = [layer["digest"].replace("sha256:", "blobs/sha256/") for layer in manifest["layers"]]
    assert docker["Layers"] == names
    return Image(described["digest"], manifest, config, docker, layers)
