"""The files that are the workflow: what its image holds."""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

_FILES = ("LICENSE", "Makefile", "README.md", "Snakefile", "config.yaml", "pyproject.toml")
_FOLDERS = ("envs", "patches", "profiles", "rules", "schemas", "scripts", "snakedev", "tools")


def tools_lock(project: Path) -> Path:
    """The lock of what the workflow runs with in its image."""
    return project / "envs" / "cluster.lock"


def project_files(project: Path) -> Iterator[tuple[str, Path]]:
    """Each file and its path in the project, in one order; no bytecode, and no hidden ones."""
    for name in _FILES:
        if (project / name).is_file():
            yield name, project / name
    for folder in _FOLDERS:
        for place, folders, files in os.walk(project / folder, followlinks=True):
            folders[:] = sorted(name for name in folders if name[0] not in "._")
            for name in sorted(files):
                if name[0] != "." and not name.endswith(".pyc"):
                    file = Path(place, name)
                    yield str(file.relative_to(project)), file


def project_digest(project: Path) -> str:
    """The digest of the files, of their paths, and of which are programs."""
    digest = sha256()
    for path, file in project_files(project):
        mode = "x" if os.access(file, os.X_OK) else "-"
        content = sha256(file.read_bytes()).hexdigest()
        digest.update(f"{mode} {content} {path}\n".encode())
    return digest.hexdigest()
