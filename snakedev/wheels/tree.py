"""Build trees: a repo's persistent checkout, moved from source to source.

Git touches only the files that differ, so a compiler runs only where something changed.
"""

import hashlib
import os
import shutil
import socket
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.git import run_git
from snakedev.base.job import Job
from snakedev.sources import untracked
from snakedev.sources.source import keep_bytes

# Left in place between builds: compiled objects. Everything else that is not the source's goes.
_KEPT_BUILD_FOLDERS = "build/temp.*"


def place(trees: str | None, shared: Path) -> Path:
    """Where a build folder lies: ``shared``, or apart from others' under ``trees``, a folder of
    each machine's own, in which its variables are filled in. Raises UserError without them."""
    if trees is None:
        return shared
    folder = os.path.expanduser(os.path.expandvars(trees))
    if "$" in folder or not folder.startswith("/"):
        raise UserError(
            f"build.trees: {trees} is {folder} on {socket.gethostname()}: name a whole path, of "
            f"variables that are set on each machine that builds"
        )
    of_these_results = hashlib.sha256(bytes(shared.parents[2])).hexdigest()[:16]
    return Path(folder, f"snakedev-{of_these_results}", *shared.parts[-3:]).resolve()


def move(tree: Path, source: Path, subdirectory: str, running: Job) -> Path:
    """Bring a build tree to a source's checkout, with nothing beside it but compiled objects.

    ``subdirectory`` is where the Python project lies in it. Returns the tree.
    """
    tree.mkdir(parents=True, exist_ok=True)
    for lock in tree.glob(".git/*.lock"):
        lock.unlink()  # a killed build's; the folder's own lock is held here
    run_git(["init", "--quiet"], tree)
    keep_bytes(tree / ".git")
    untracked.take_back(tree)
    run_git(["fetch", "--quiet", "--no-tags", "--force", str(source.resolve()), "HEAD"], tree)
    run_git(["checkout", "--quiet", "--force", "--detach", "FETCH_HEAD"], tree)
    running.note(f"tree at {run_git(['rev-parse', 'HEAD'], tree)}")
    run_git(["clean", "-q", "-ffdx", "-e", _KEPT_BUILD_FOLDERS], tree)
    for leftover in (tree / subdirectory).glob("build/lib*"):
        shutil.rmtree(leftover)
    # what another source, or another version of a project that is built in, had for defaults
    for cache in (tree / subdirectory).glob(f"{_KEPT_BUILD_FOLDERS}/CMakeCache.txt"):
        cache.unlink()
    untracked.copy(source, tree)
    untracked.lay_out(tree)
    return tree
