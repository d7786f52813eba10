"""Mirrors that a disk has damaged."""

import shutil

from snakedev.base import file_lock
from snakedev.base.git import check_objects, run_git
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.fetch.mirror import Submodules, ensure_commit, ref_of
from snakedev.store.layout import Layout


def repaired(
    layout: Layout, repo: str, url: str, commit: str, submodules: Submodules, running: Job
) -> bool:
    """Fetch a commit once more where a mirror of it is damaged or gone; False where none is.

    Raises UserError as ensure_commit.
    """
    own = layout.mirror(repo)
    damaged = not own.is_dir()
    for mirror in (own, *own.parent.glob(f"{repo}.*.git")):
        try:
            check_objects(mirror)
            if mirror == own:
                run_git(["rev-parse", "--verify", f"{ref_of(commit)}^{{tree}}"], mirror)
        except (CommandError, FileNotFoundError):
            running.say(f"{mirror} is damaged: removing it, and fetching once more")
            damaged = True
            with file_lock.held(mirror.with_suffix(".lock")):
                shutil.rmtree(mirror, ignore_errors=True)
    if damaged:
        ensure_commit(layout, repo, url, commit, submodules, running)
    return damaged
