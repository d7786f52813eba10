"""A release of a small project, as a registry has it."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def archive_of(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """The archive of these files, of a program and of a link to greet.c."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            info = tarfile.TarInfo(f"tiny-1.0/{name}")
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
        script = tarfile.TarInfo("tiny-1.0/run.sh")
        script.mode = 0o755
        tar.addfile(script)
        link = tarfile.TarInfo("tiny-1.0/link")
        link.type, link.linkname = tarfile.SYMTYPE, "greet.c"
        tar.addfile(link)
    return path
