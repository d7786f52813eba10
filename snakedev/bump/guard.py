"""What a bump writes is a person's: when it may begin, and when it goes on with its own."""

from pathlib import Path
from typing import Any

from snakedev.base.errors import UserError
from snakedev.base.git import feed_git, run_git
from snakedev.base.process import CommandError
from snakedev.base.records import Record
from snakedev.base.text import first_of
from snakedev.plan.sources import Sources
from snakedev.reports.bump.record import MoveRecord
from snakedev.workbench.folder import pin_key


class BumpState(Record):
    """results/bump/REPO.json: a move that is under way, or was done."""

    asked: str
    """What the configuration asked for."""
    pin: dict[str, Any]
    """The repo's pin, as config.yaml has it since."""
    move: MoveRecord
    """What is known of it so far."""

    @property
    def done(self) -> bool:
        return self.move.state == "moved"


def refuse_uncommitted(project: Path, repo: str) -> None:
    """Raise UserError where files that a move writes, or folders of them, hold what git has not.

    `git checkout` would take that away with the move.
    """
    files = ["config.yaml", f"patches/{repo}", "envs"]
    command = ["status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", *files]
    try:
        # the project may be a folder of a larger repository
        found = {"GIT_OPTIONAL_LOCKS": "0", "GIT_CEILING_DIRECTORIES": ""}
        printed = feed_git(command, project, b"", found).decode(errors="replace")
        tracked = run_git(["ls-files", "--", "config.yaml"], project, found)
    except CommandError:
        tracked = ""
    if not tracked:
        raise UserError(
            f"bump.{repo}: git does not have this project's config.yaml, and a move is undone by "
            f"git: `git init`, `git add` and commit it first"
        )
    if changed := [entry[3:] for entry in printed.split("\0") if entry]:
        raise UserError(
            f"bump.{repo}: not committed: {first_of(changed)}: commit or `git stash -u` that "
            f"first, since a move writes there; nothing was touched"
        )


def refuse_work(sources: Sources, repo: str) -> None:
    """Raise UserError where a work folder holds what patches/ does not: it moves with the pin."""
    if not sources.work_folder(repo).exists():
        return
    work, spec = sources.opened_work_folder(repo), sources.pinned_source(repo)
    work.refuse_session()
    if found := work.uncommitted():
        raise UserError(
            f"bump.{repo}: {work} has edits that are not committed ({first_of(found)}): commit and "
            f"`snakemake export_{repo}` them, or `git -C {work} stash -u`; nothing was touched"
        )
    if work.record.pin_key == pin_key(spec) and work.unexported(spec.patches):
        raise UserError(
            f"bump.{repo}: {work} has commits that are not exported: `snakemake export_{repo}` "
            f"first; nothing was touched"
        )
