"""The base of images: Debian's packages, unpacked, and what their programs would have set up.

No program of theirs runs, and nothing is unpacked on this machine: their archives are read.
"""

import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath

from snakedev.base.errors import UserError
from snakedev.base.process import CommandError, output
from snakedev.images.layer import DATA, PROGRAM, Entry

HOME, USER, USER_ID = "/home/vllm", "vllm", 1000
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"

# Folders of the root that are links into usr/, and so lie there whatever a package says.
_MERGED = ("bin", "sbin", "lib", "lib64")
_LEFT_OUT = ("man", "info", "locale", "lintian", "bash-completion", "bug", "menu")
_AUTHORITIES = "usr/share/ca-certificates/"
_EVERYBODY = 0o1777
_FILES = {
    "etc/passwd": f"root:x:0:0:root:/root:/bin/sh\n"
    f"{USER}:x:{USER_ID}:{USER_ID}:{USER}:{HOME}:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": f"root:x:0:\n{USER}:x:{USER_ID}:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def base_entries(debs: Iterable[Path]) -> Iterator[Entry]:
    """What the base holds; raises UserError for a package that cannot be read."""
    authorities = {}
    for deb in debs:
        try:
            control = output(["dpkg-deb", "--field", deb])
        except CommandError as error:
            raise UserError(f"{deb}: not a Debian package: {' '.join(error.tail)}") from None
        name = deb.name.partition("_")[0]
        # where programs that list an image's packages look
        yield Entry(f"var/lib/dpkg/status.d/{name}", content=f"{control}\n".encode())
        for entry in _unpacked(deb):
            if entry.path.startswith(_AUTHORITIES) and isinstance(entry.content, bytes):
                authorities[entry.path] = entry.content
            yield entry
    if authorities:
        certificates = [authorities[path].rstrip(b"\n") + b"\n" for path in sorted(authorities)]
        yield Entry(CERTIFICATES.lstrip("/"), content=b"".join(certificates))
    for folder in _MERGED:
        yield Entry(folder, link=f"usr/{folder}")
    for path, text in _FILES.items():
        yield Entry(path, content=text.encode())
    for path in ("tmp", "var/tmp", HOME.lstrip("/")):
        yield Entry(path, mode=_EVERYBODY)  # whichever user a container runs as


def _unpacked(deb: Path) -> Iterator[Entry]:
    """The files of a package, those for people left out but for its copyright."""
    packed = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", deb], check=True, stdout=subprocess.PIPE
    ).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        for info in archive:
            path = _merged(info.name)
            if path is None or not _used(path):
                continue
            # a program that runs as its owner would be root's
            mode = info.mode & 0o777
            if info.issym():
                yield Entry(path, link=info.linkname)
            elif info.isdir():
                yield Entry(path, mode=info.mode & 0o1777)
            elif (file := archive.extractfile(info)) is not None:  # a hard link's is the other's
                yield Entry(path, PROGRAM if mode & 0o100 else DATA, file.read())


def _merged(name: str) -> str | None:
    """A path in the image; None for the root and its links."""
    path = PurePosixPath(name)
    if not path.parts or (len(path.parts) == 1 and path.name in _MERGED):
        return None
    return str(PurePosixPath("usr", path) if path.parts[0] in _MERGED else path)


def _used(path: str) -> bool:
    parts = PurePosixPath(path).parts
    if parts[:2] != ("usr", "share") or len(parts) < 3:
        return True
    if parts[2] == "doc":  # a package's folder may be a link to another's, which has the file
        return len(parts) == 4 or (len(parts) == 5 and parts[4] == "copyright")
    return parts[2] not in _LEFT_OUT
