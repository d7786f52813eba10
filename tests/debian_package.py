"""Small Debian packages made on the spot, and locks of them, for tests of container images."""

import hashlib
import subprocess
from pathlib import Path

from snakedev.images.base_lock import SERVING, BaseLock
from snakedev.store.image_spec import Deb

LIBC = "2.99-1"


def make_deb(folder: Path, name: str, version: str, files: dict[str, bytes]) -> Deb:
    """Make a package in a folder, with what apt would call it."""
    tree = folder / f".{name}"
    for path, data in {"DEBIAN/control": _control(name, version), **files}.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(data)
    file = folder / f"{name}_{version}_all.deb"
    build = ["dpkg-deb", "--root-owner-group", "--build", tree, file]
    subprocess.run(build, check=True, capture_output=True)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return Deb(name=name, version=version, file=file.name, sha256=sha256)


def small_base(project: Path, libc: str = LIBC) -> BaseLock:
    """Give a project the lock of a base, and its packages as if they had been downloaded."""
    debs = project / "results/downloads/debian/debs"
    debs.mkdir(parents=True, exist_ok=True)
    packages = (
        make_deb(debs, "libc6", libc, {"usr/lib/libc.so.6": b"a library"}),
        make_deb(debs, "dash", "1", {"bin/sh": b"a shell", "usr/share/man/sh.1": b"a page"}),
    )
    lock = BaseLock(suite="trixie", asked=("dash", "libc6"), packages=packages)
    lock.write(project / "envs" / SERVING.file)
    return lock


def _control(name: str, version: str) -> bytes:
    return (
        f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
        f"Maintainer: A. Tester <tester@example.org>\nDescription: a test\n"
    ).encode()
