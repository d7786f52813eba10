"""Build trees: a repo's persistent checkout, moved from source to source.

Git touches only the files that differ, so a compiler runs only where something changed.
"""

import shutil
from pathlib import Path

from snakedev.base.git import run_git
from snakedev.base.job import Job
from snakedev.sources import untracked
from snakedev.sources.source import keep_bytes

# Left in place between builds: compiled objects. Everything else that is not the source's goes.
_KEPT_BUILD_FOLDERS = ("build/temp.*",)


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
    kept = [word for pattern in _KEPT_BUILD_FOLDERS for word in ("-e", pattern)]
    run_git(["clean", "-q", "-ffdx", *kept], tree)
    for leftover in (tree / subdirectory).glob("build/lib*"):
        shutil.rmtree(leftover)
    untracked.copy(source, tree)
    untracked.lay_out(tree)
    return tree
