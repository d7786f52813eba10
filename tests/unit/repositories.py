"""Small git repositories, made without any of the user's settings."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_IDENTITY = ("-c", "user.name=A. Tester", "-c", "user.email=tester@example.org")


def git(folder: Path, *arguments: str | Path) -> str:
    """What a git command prints in a folder."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", *_IDENTITY, *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env={**variables, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"},
    ).stdout.strip()


def repository(folder: Path, files: Mapping[str, str | bytes]) -> str:
    """Make a repository with one commit of these files; returns the commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    # as forges allow it, so that a commit can be fetched by its id
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    return commit(folder, files)


def commit(
    folder: Path,
    files: Mapping[str, str | bytes] | None = None,
    submodules: Mapping[str, tuple[str, str]] | None = None,
) -> str:
    """Commit files, and submodules given as address and commit by path; returns the commit."""
    for name, content in (files or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        git(folder, "add", "--force", name)
    for path, (address, pin) in (submodules or {}).items():
        for key, value in (("path", path), ("url", address)):
            git(folder, "config", "--file", ".gitmodules", f"submodule.{path}.{key}", value)
        git(folder, "update-index", "--add", "--cacheinfo", f"160000,{pin},{path}")
        git(folder, "add", ".gitmodules")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "Change")
    return git(folder, "rev-parse", "HEAD")
