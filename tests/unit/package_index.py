"""A package index on loopback, with small pure-Python wheels made on the spot."""

import hashlib
import io
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

from tests.unit.serving import serving


def make_wheel(
    folder: Path, name: str, version: str, requires: Sequence[str] = (), scripts: Sequence[str] = ()
) -> Path:
    """A wheel with one module whose `main` prints the version, and console scripts for it."""
    folder.mkdir(parents=True, exist_ok=True)
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": f"def main():\n    print('{name} {version}')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + "".join(f"Requires-Dist: {requirement}\n" for requirement in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if scripts:
        lines = "".join(f"{script} = {module}:main\n" for script in scripts)
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{lines}"
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(member), text)
    return path


def make_sdist(folder: Path, name: str, version: str, files: Mapping[str, str]) -> Path:
    """A source distribution of these files."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member, text in files.items():
            info = tarfile.TarInfo(f"{name}-{version}/{member}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


def publish(index: Path, wheel: Path) -> None:
    """Add a wheel or a source distribution to the index in a folder."""
    name = wheel.name.split("-")[0].replace("_", "-")
    page = index / name / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    (page.parent / wheel.name).write_bytes(wheel.read_bytes())
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with page.open("a", encoding="utf-8") as file:
        file.write(f'<a href="{wheel.name}#sha256={digest}">{wheel.name}</a>\n')


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(index: Path) -> Iterator[str]:
    """Serve a folder on loopback; yields its address."""
    index.mkdir(parents=True, exist_ok=True)
    with serving(partial(_Quiet, directory=str(index))) as address:
        yield f"http://{address}/"


def versions(environment: Path, *names: str) -> list[str]:
    """What an environment has of some packages."""
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    command = [environment / "bin/python", "-c", code, *names]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
