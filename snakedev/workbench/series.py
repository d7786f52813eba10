"""A patch series as files: written from commits, the same bytes for the same commits.

Git formats in a repository of its own that only borrows the objects, so that neither the user's
settings nor attributes of the source decide what a patch looks like.
"""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.git import run_git
from snakedev.base.job import Job
from snakedev.base.text import counted, first_of
from snakedev.sources.patch_file import body
from snakedev.sources.patch_mail import read_mails
from snakedev.sources.source import apply_series, keep_bytes

_FORMAT = (
    "--zero-commit",
    "--no-signature",
    "--no-numbered",
    # an abbreviation would depend on how many objects there are; whole ids also let git find the
    # files that a patch was made from when it has to merge
    "--full-index",
    "--no-renames",
    "--filename-max-length=64",
)


@dataclass(frozen=True)
class Commit:
    """A commit of a series."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: str
    """Name and address, as `Name <address>`."""
    date: int
    """When it was written, in seconds since 1970."""
    subject: str
    message: str

    @property
    def said(self) -> tuple[object, ...]:
        """What it says of itself, white space aside."""
        return (self.author, self.date, self.message.split())

    def __str__(self) -> str:
        return f"{self.id[:12]} ({self.subject})"


@dataclass(frozen=True)
class Patch:
    """A commit as the file that `git format-patch` makes of it."""

    commit: Commit
    name: str
    """As git names it: position and subject."""
    data: bytes


def commits(repository: Path, base: str, head: str) -> list[Commit]:
    """The commits after ``base`` up to ``head``, oldest first."""
    fields = "%x01".join(("%H", "%T", "%P", "%an <%ae>", "%at", "%s", "%B"))
    printed = run_git(
        ["log", "-z", "--reverse", "--topo-order", f"--format={fields}", f"{base}..{head}"],
        repository,
    )
    found = []
    for entry in filter(None, printed.split("\0")):
        commit, tree, parents, author, date, subject, message = entry.split("\x01", 6)
        parent_ids = tuple(parents.split())
        found.append(Commit(commit, tree, parent_ids, author, int(date), subject, message))
    return found


def formatted(repository: Path, base: str, head: str) -> list[Patch]:
    """The series from ``base`` to ``head``; commits that change nothing are left out.

    Raises UserError for a merge, which no patch can carry.
    """
    changing = [commit for commit, changes in _series(repository, base, head) if changes]
    with _borrowed(repository) as (scratch, out):
        patches = []
        for number, commit in enumerate(changing, 1):
            where = (f"--start-number={number}", "-o", str(out), "-1", commit.id)
            file = Path(run_git(["format-patch", *_FORMAT, *where], scratch))
            patches.append(Patch(commit, file.name, file.read_bytes()))
        return patches


def empty_commits(repository: Path, base: str, head: str) -> list[Commit]:
    """The commits from ``base`` to ``head`` that change nothing, which no patch can carry."""
    return [commit for commit, changes in _series(repository, base, head) if not changes]


def verify(repository: Path, base: str, head: str, patches: Sequence[Path], running: Job) -> None:
    """Build the source from exported patches, and compare it with the commits they came from.

    Raises UserError when the trees differ, or when a patch does not say what its commit said.
    """
    wanted = [commit for commit, changes in _series(repository, base, head) if changes]
    with _borrowed(repository) as (scratch, _):
        tree = scratch.parent / "tree"
        run_git(["init", "--quiet", tree], scratch.parent)
        keep_bytes(tree / ".git")
        (tree / ".git/objects/info/alternates").write_text(f"{_objects(repository)}\n")
        run_git(["checkout", "--quiet", "--detach", base], tree)
        try:
            apply_series(tree, patches, running)
        except UserError as error:
            raise UserError(f"the exported series does not give the source back: {error}") from None
        made = commits(tree, base, "HEAD")
        for commit, again in zip(wanted, made, strict=False):
            if commit.tree != again.tree:
                raise UserError(
                    f"{commit} does not come back from its patch: git format-patch cannot carry "
                    f"{', '.join(_differing(tree, commit.tree, again.tree))}"
                )
            if commit.subject != again.subject:
                raise UserError(
                    f"{commit}: git am would make its subject '{again.subject}': in a mail, a "
                    f"subject loses `Re:`, and brackets with the word PATCH, in front: reword it "
                    f"(`git rebase -i`, or `git commit --amend` for the last one)"
                )
            if commit.said != again.said:
                raise UserError(
                    f"{commit}: its message or author does not come back from its patch: in a "
                    "mail, a line '---' or one that begins like a diff ends the message, and an "
                    "author needs a name and an address (git commit --amend --author=…)"
                )


def digests(files: Sequence[Path]) -> tuple[str, ...]:
    """sha256 of each patch file, in order."""
    return tuple(digest(file.read_bytes()) for file in files)


def digest(data: bytes) -> str:
    """sha256 of a patch file's bytes."""
    return hashlib.sha256(data).hexdigest()


def write_series(target: dict[Path, bytes], existing: Sequence[Path]) -> list[str]:
    """Make the series' files those of ``target``; returns a line for each that changed.

    Those of which only positions, context and ids of files moved share one. New files come first,
    so that a run that is killed in between loses nothing.
    """
    said, moved = [], []
    for path, data in target.items():
        if path not in existing:
            said.append(f"added {path.name}")
        elif (before := path.read_bytes()) == data:
            continue
        elif _told_by(before) == _told_by(data):
            moved.append(path.name)
        else:
            said.append(f"changed {path.name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for path in existing:
        if path not in target:
            path.unlink()
            said.append(f"removed {path.name}")
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
    if moved:
        what = f"{counted(len(moved), 'patch says', 'patches say')} the same of other lines"
        said.append(f"{what} (positions, context, ids of files): {first_of(moved)}")
    return said


def _told_by(data: bytes) -> tuple[object, ...]:
    """What a patch file does and says, wherever in the files it does it."""
    mails = [(mail.author, mail.date, mail.subject, mail.message) for mail in read_mails(data)]
    lines = body(data).splitlines()
    return (*mails, *(line for line in lines if line and not line.startswith((b" ", b"@@ "))))


def _series(repository: Path, base: str, head: str) -> list[tuple[Commit, bool]]:
    """Each commit of a series, and whether it changes anything; UserError for a merge."""
    found = commits(repository, base, head)
    for commit in found:
        if len(commit.parents) != 1:
            raise UserError(
                f"{commit} is a merge, which no patch can carry: rebase, so that the series is one "
                f"line of commits"
            )
    before = [run_git(["rev-parse", f"{base}^{{tree}}"], repository), *(c.tree for c in found)]
    return [(commit, commit.tree != tree) for commit, tree in zip(found, before, strict=False)]


@contextmanager
def _borrowed(repository: Path) -> Iterator[tuple[Path, Path]]:
    """A bare repository that sees another one's objects and settings of nobody, and a folder."""
    with tempfile.TemporaryDirectory(prefix="snakedev-series-") as folder:
        scratch, out = Path(folder) / "git", Path(folder) / "out"
        run_git(["init", "--quiet", "--bare", scratch], Path(folder))
        (scratch / "objects/info/alternates").write_text(f"{_objects(repository)}\n")
        out.mkdir()
        yield scratch, out


def _objects(repository: Path) -> Path:
    return (repository / run_git(["rev-parse", "--git-path", "objects"], repository)).resolve()


def _differing(repository: Path, tree: str, other: str) -> list[str]:
    return run_git(["diff-tree", "-r", "--name-only", tree, other], repository).splitlines()
