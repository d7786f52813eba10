"""Put together what pack.py packed, on the GPU machine: `python3 unpack.py LOADS FOLDER`.

Runs with an ordinary Python 3.12 or later and its standard library. LOADS holds some of the loads,
as folders or all in one, and may be gone afterwards: call it for each as it comes. Chunks wait in
FOLDER until their layer is whole. With the last one, FOLDER gets `python`, our interpreter with its
packages, and `stock`, the Python that runs this with those of a stock vLLM; what the layers lack is
linked to the packages of that Python, or of `--lender PYTHON`.
"""

import argparse
import hashlib
import io
import json
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_VERSIONS = """
import json, sys, sysconfig
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        found[name] = None
print(json.dumps([sysconfig.get_path("platlib"), found]))
"""


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
    waiting = folder / "chunks"
    waiting.mkdir(parents=True, exist_ok=True)
    for file in loads.rglob("*.xz"):
        shutil.copyfile(file, waiting / file.name)
    incomplete = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, chunks in manifest["layers"].items():
            stamp = folder / f".{name}"
            if stamp.is_file() and json.loads(stamp.read_text()) == chunks:
                continue
            files = [waiting / f"{chunk}.xz" for chunk in chunks]
            missing = sum(not file.is_file() for file in files)
            if missing or incomplete:
                # a later layer may link to files of this one
                print(f"{name}: {missing} of {len(chunks)} chunks are still to come")
                incomplete.append(name)
                continue
            started = time.monotonic()
            stream = io.BufferedReader(Chunks(files, pool), 1 << 20)
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                archive.extractall(folder, filter="tar")
            stamp.write_text(json.dumps(chunks))
            print(f"{name}: unpacked in {time.monotonic() - started:.1f} s", flush=True)
    if not incomplete:
        shutil.rmtree(waiting)
    return incomplete


def lend(folder: Path, lender: dict, python: str) -> Path:
    """Link what the packages of a Python lend; returns where these are.

    Ends the program when one of them is of another version than the one that was said to be there.
    """
    asked = subprocess.check_output([python, "-c", _VERSIONS, *lender["versions"]], text=True)
    platlib, found = json.loads(asked)
    for name, version in lender["versions"].items():
        if found[name] != version:
            sys.exit(f"{python}: its {name} is {found[name]}, and {version} was said to be there")
    for name, path in lender["links"].items():
        file, link = Path(platlib, path), folder / name
        if not file.is_file():
            sys.exit(f"{file}: there is no such file, and it was said to be there")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(file)
    return Path(platlib)


def finish(folder: Path, lending: Path, python: str) -> None:
    """Make the stock environment, and compile to bytecode what would be at the first import."""
    if (folder / "stock").is_dir():
        subprocess.run([python, "-m", "venv", "--without-pip", folder / "stock"], check=True)
        (site,) = folder.glob("stock/lib/python*/site-packages")
        # after its own packages
        (site / "lender.pth").write_text(f"{lending}\n")
    for interpreter in folder.glob("*/bin/python3"):
        sources = [interpreter.parents[1] / "lib", *folder.glob("vllm-*")]
        # what some packages have for other Pythons does not compile
        command = [interpreter, "-m", "compileall", "-q", "-j", "0", *sources]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    """Unpack what is there, and finish when it is all."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("loads", type=Path)
    parser.add_argument("folder", type=lambda text: Path(text).absolute())
    parser.add_argument("--lender", default=sys.executable, help="a Python that lends packages")
    options = parser.parse_args()
    file = next(options.loads.rglob("manifest.json"), None)
    if file is None:
        sys.exit(f"{options.loads}: no manifest.json: this is no load of pack.py")
    manifest = json.loads(file.read_bytes())
    if not unpack(options.loads, options.folder, manifest):
        started = time.monotonic()
        lending = lend(options.folder, manifest["lender"], options.lender)
        finish(options.folder, lending, options.lender)
        print(f"ready after {time.monotonic() - started:.1f} s")
    (options.folder / "manifest.json").write_text(json.dumps(manifest))


if __name__ == "__main__":
    main()
