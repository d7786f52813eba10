"""Work folders: work/<repo>, the checkout in which a repo's patch series is edited.

The folder belongs to the person who edits: their git settings apply to what they do in it, and
nothing of theirs is ever overwritten. What is done here runs without their settings. Everything
that the folder needs is in it, so that no removal elsewhere can break it.
"""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.git import feed_git, run_git
from snakedev.base.process import CommandError, output
from snakedev.base.records import Record
from snakedev.config.fields import Origin
from snakedev.store.source_specs import SourceSpec
from snakedev.workbench import series

BRANCH = "series"
"""The branch that holds the series."""
PIN = "pin"
"""The tag on the commit that the series begins on."""
EARLIER = "earlier"
"""Where branches lie that keep what the series was before."""
RECORD = Path(".git/snakedev.json")
"""Where a folder says what it was made from."""
# What shows that git waits for the end of something, and the command that does.
_SESSIONS = {
    "rebase-apply/applying": "am",
    "rebase-apply": "rebase",
    "rebase-merge": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
}


class WorkRecord(Record):
    """.git/snakedev.json: what a work folder was made from, and what of it is in patches/."""

    repo: str
    origin: Origin
    version: str
    pin_key: str
    """Names the pin, and what else decides the commit that the series begins on."""
    base: str
    """That commit."""
    series: tuple[str, ...]
    """sha256 of each patch file that the folder was made from or last exported to."""
    head: str | None
    """The last commit that holds nothing but that series; None while there is none."""
    began: str | None
    """Where a replay began that stopped at a conflict."""
    earlier: str | None = None
    """The series on the pin before this one; None once it is exported, or where it is not here."""


class WorkFolder:
    """A work folder that is there."""

    def __init__(self, path: Path, repo: str):
        """Raises UserError when there is none, or what is there is something else."""
        self.path, self.repo = path, repo
        if not path.is_dir():
            raise UserError(f"{self} is not there: run `snakemake edit_{repo}` first")
        self._file = path / RECORD
        if not self._file.is_file():
            raise UserError(
                f"{self} was not made by `snakemake edit_{repo}`: move it out of the way"
            )
        self.record = WorkRecord.read(self._file)

    def __str__(self) -> str:
        return f"work/{self.repo}"

    def write_series(self, files: Sequence[Path]) -> None:
        """Record that patch files hold what is checked out."""
        known = {"series": series.digests(files), "head": self.head, "began": None}
        known["earlier"] = None
        self.record = self.record.model_copy(update=known)
        self.record.write(self._file)

    def git(self, *arguments: str | Path) -> str:
        """What a git command prints in the folder, without the user's settings."""
        return run_git(arguments, self.path, {"GIT_OPTIONAL_LOCKS": "0"})

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    @cached_property
    def patches(self) -> list[series.Patch]:
        """The commits on the pin, as patches; raises UserError for a merge."""
        return series.formatted(self.path, self.record.base, "HEAD")

    @property
    def on_the_pin(self) -> bool:
        """Whether what is checked out stems from the pin."""
        return self._stems("HEAD")

    @property
    def given_up(self) -> bool:
        """Whether a replay is not done: it was given up, or ended before it began."""
        began, head = self.record.began, self.head
        if began is not None and head == began:
            return self.git("log", "--walk-reflogs", "-1", "--format=%gs") == "am --abort"
        moved = self._stems("HEAD") or self._stems(f"refs/heads/{BRANCH}")
        return not moved and head in self._tips(f"refs/heads/{EARLIER}")

    def uncommitted(self) -> list[str]:
        """Files that differ from what is checked out, and those that git neither tracks nor
        ignores."""
        words = ["status", "--porcelain", "-z", "--untracked-files=all", "--no-renames"]
        excluded = ["-c", f"core.excludesFile={user_excludes()}"]
        printed = feed_git([*excluded, *words], self.path, b"", {"GIT_OPTIONAL_LOCKS": "0"})
        return [entry[3:] for entry in printed.decode(errors="replace").split("\0") if entry]

    def unexported(self, files: Sequence[Path]) -> bool:
        """Whether there are commits that ``files``, the present series, do not hold."""
        if self.head == self.record.head:
            return False
        return not self.on_the_pin or not self.is_series(files)

    def is_series(self, files: Sequence[Path]) -> bool:
        """Whether the commits are what patch files hold, byte for byte."""
        return [patch.data for patch in self.patches] == [file.read_bytes() for file in files]

    def session(self) -> str | None:
        """The git command that waits in the folder for its end."""
        inner = self.path / ".git"
        return next((name for mark, name in _SESSIONS.items() if (inner / mark).exists()), None)

    def refuse_session(self) -> None:
        """Raise UserError, with the ways out, when git waits for the end of something."""
        name = self.session()
        if name is None:
            return
        at = f"git -C {self} "
        mend = f"mend the files, `{at}add` them, then `{at}{name} --continue`"
        if name == "merge":
            mend = f"mend the files, `{at}add` them, then `{at}commit`"
        raise UserError(
            f"{self}: a git {name} is in progress: {mend}; or give it up with `{at}{name} --abort`"
        )

    def refuse_other_pin(self, spec: SourceSpec) -> None:
        """Raise UserError when the folder is not on the pin that the configuration names."""
        if self.record.pin_key != pin_key(spec):
            raise UserError(
                f"{self} is on {self.record.origin} {self.record.version}, and config.yaml names "
                f"another pin of {self.repo}: run `snakemake edit_{self.repo}`, which moves the "
                f"series there"
            )
        if self.given_up:
            raise UserError(
                f"{self}: the series is not all on its pin: run `snakemake edit_{self.repo}`"
            )
        if not self.on_the_pin:
            raise UserError(
                f"{self}: what is checked out does not stem from the pin: rebase it onto the tag "
                f"`{PIN}`, or `git -C {self} switch {BRANCH}`"
            )

    def keep_earlier(self) -> str:
        """Have a branch on what is checked out, and one on the series; returns the former."""
        names = []
        for commit in dict.fromkeys((self.head, *self._tips(f"refs/heads/{BRANCH}"))):
            name = earlier_branch(self.record.version, self.record.origin, commit)
            self.git("update-ref", f"refs/heads/{name}", commit)
            names.append(name)
        return names[0]

    def _tips(self, refs: str) -> list[str]:
        return self.git("for-each-ref", "--format=%(objectname)", refs).splitlines()

    def _stems(self, commit: str) -> bool:
        try:
            self.git("merge-base", "--is-ancestor", self.record.base, commit)
        except CommandError:
            return False
        return True


def earlier_branch(version: str, origin: Origin, commit: str) -> str:
    """The branch that keeps a series as it was on a pin."""
    return f"{EARLIER}/{version}-{origin}-{commit[:12]}"


def pin_key(spec: SourceSpec) -> str:
    """What names the commit that a spec's series begins on."""
    return spec.model_copy(update={"patches": (), "patch_bodies": ()}).key


def user_excludes() -> str:
    """The file with what the user ignores in every repository (editors' files and the like)."""
    try:
        return output(["git", "config", "--type=path", "--get", "core.excludesFile"])
    except CommandError:
        home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return str(Path(home) / "git" / "ignore")
