"""Put together what pack.py packed, on the GPU machine: `python3 unpack.py LOADS FOLDER`.

Runs with an ordinary Python 3.12 or later and its standard library. LOADS holds the loads, as
folders or all in one; FOLDER gets the layers whose chunks are all there, so that it can be called
again when more have come. What the layers lack is linked to the torch of the Python that runs this,
or of `--lender PYTHON`, which has to be of the same version.
"""

import argparse
import hashlib
import io
import json
import lzma
import os
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_FIND = "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"


class Chunks(io.RawIOBase):
    """The bytes of a layer's archive, its chunks decompressed some ahead and checked."""

    def __init__(self, files: list[Path], pool: ThreadPoolExecutor):
        self._chunks: Iterator[bytes] = pool.map(_decompressed, files)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def _decompressed(file: Path) -> bytes:
    data = lzma.decompress(file.read_bytes())
    if hashlib.sha256(data).hexdigest() != file.stem:
        sys.exit(f"{file}: its bytes are not those that were packed")
    return data


def unpack(loads: Path, folder: Path, manifest: dict) -> list[str]:
    """Unpack the layers that are whole; returns the names of those that are not."""
    there = {file.stem: file for file in loads.rglob("*.xz")}
    incomplete = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, chunks in manifest["layers"].items():
            stamp = folder / f".{name}"
            if stamp.is_file() and json.loads(stamp.read_text()) == chunks:
                continue
            missing = [chunk for chunk in chunks if chunk not in there]
            if missing or incomplete:
                # a later layer may link to files of this one
                print(f"{name}: {len(missing)} of {len(chunks)} chunks are still to come")
                incomplete.append(name)
                continue
            started = time.monotonic()
            stream = io.BufferedReader(Chunks([there[chunk] for chunk in chunks], pool), 1 << 20)
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                archive.extractall(folder, filter="tar")
            stamp.write_text(json.dumps(chunks))
            print(f"{name}: unpacked in {time.monotonic() - started:.1f} s", flush=True)
    return incomplete


def lend(folder: Path, lender: dict, packages: Path) -> None:
    """Link what the torch in ``packages`` lends; ends the program when it is another torch."""
    for package, version in lender["versions"].items():
        file = packages / package / ("version.py" if package == "torch" else "__init__.py")
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        found = re.findall(r"^__version__ = '([^']+)'", text, re.MULTILINE)
        if found != [version]:
            sys.exit(f"{packages}: its {package} is {found}, and {version} is needed")
    for name, size in lender["sizes"].items():
        if not (packages / name).is_file() or (packages / name).stat().st_size != size:
            sys.exit(f"{packages / name}: not the file of {size} bytes that is needed")
    for name in lender["paths"]:
        link = folder / "packages" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(packages / name)


def main() -> None:
    """Unpack what is there, and link what is lent."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("loads", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lender", default=sys.executable, help="a Python that has torch")
    options = parser.parse_args()
    file = next(options.loads.rglob("manifest.json"), None)
    if file is None:
        sys.exit(f"{options.loads}: no manifest.json: this is no load of pack.py")
    manifest = json.loads(file.read_bytes())
    options.folder.mkdir(parents=True, exist_ok=True)
    incomplete = unpack(options.loads, options.folder, manifest)
    if "packages" not in incomplete:
        found = subprocess.check_output([options.lender, "-c", _FIND], text=True)
        lend(options.folder, manifest["lender"], Path(found.strip()).parent)
    (options.folder / "manifest.json").write_text(json.dumps(manifest))


if __name__ == "__main__":
    main()
