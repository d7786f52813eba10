"""Digests of files."""

import hashlib
from pathlib import Path


def file_sha256(path: Path) -> str:
    """The sha256 of what a file holds, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
