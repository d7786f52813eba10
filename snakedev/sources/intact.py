"""Whether a source in the store is still what it was when it was published."""

import tempfile
from pathlib import Path

from snakedev.base.git import check_objects, run_git
from snakedev.base.process import CommandError
from snakedev.store.publish import refuse_damaged


def tree_differs(tree: Path, commit: str) -> str:
    """The files of a checkout that are not what its commit has, or git's reason; empty if none.

    Every file is read: one that a disk has spoilt has the size and times that it should have.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # an index that knows no times
        index = {"GIT_INDEX_FILE": f"{scratch}/index"}
        try:
            run_git(["read-tree", commit], tree, index)
            return ", ".join(run_git(["diff", "--name-only", commit], tree, index).splitlines())
        except CommandError as error:
            return next(iter(error.tail), str(error))


def require_tree(folder: Path, commit: str) -> None:
    """Raise UserError, and take the source out of the store, where a file of it is damaged."""
    if differs := tree_differs(folder / "tree", commit):
        refuse_damaged(folder, differs)


def require_objects(folder: Path) -> None:
    """Raise UserError, and take the source out of the store, where an object of it is damaged."""
    try:
        check_objects(folder / "tree")
    except CommandError as error:
        refuse_damaged(folder, next(iter(error.tail), str(error)))
