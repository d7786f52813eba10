"""A repository with a branch for each patch of a series, on upstream's newest state.

It holds the series as it is built, too, so that both can be compared, and needs nothing else.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from snakedev.base.git import feed_git, run_git
from snakedev.base.job import Job
from snakedev.reports.patches.record import TriedPatch
from snakedev.reports.patches.trial import try_patch
from snakedev.reports.upstream.record import Note
from snakedev.sources.patch_file import details
from snakedev.sources.source import IDENTITY, make_base
from snakedev.store.layout import Layout
from snakedev.store.source_specs import PinnedSpec

BASE = "newest"
"""The branch with upstream's newest state."""
_FORMAT = ("--no-signature", "--full-index", "--zero-commit")


@dataclass(frozen=True)
class Branch:
    """A patch as it was tried."""

    tried: TriedPatch
    below: tuple[Path, ...]
    """The patches of the series under it."""
    name: str | None
    """None where it is not there: it conflicts, or upstream has it."""


class Branches:
    """The repository."""

    def __init__(self, tree: Path, running: Job):
        self.tree, self._running = tree, running
        self._series: list[str] = []

    def lay(self, spec: PinnedSpec, layout: Layout, archive: Path | None) -> None:
        """Begin with what a pin names, as one commit."""
        make_base(spec, layout, archive, self.tree)
        run_git(["branch", "--move", "--force", BASE], self.tree)

    def remember(self, made_on: Iterable[Path]) -> None:
        """Take the series as it stands from checkouts of the sources that it was made on."""
        for number, checkout in enumerate(made_on):
            name = f"series-{number}" if number else "series"
            place = checkout.resolve()
            run_git(["fetch", "--quiet", place, f"HEAD:refs/heads/{name}"], self.tree)
            self._series.append(name)

    def put(self, path: Path, note: Note, before: Sequence[Path]) -> Branch:
        """Have a branch for a patch: alone, or else on those ``before`` it that touch its files.

        Its commit has upstream's message. A patch that says what it depends on stands on that.
        """
        needed = tuple(one for one in before if _subject(one) == note.depends_on)
        tried, below = self._on(path, needed), needed
        if not _is_there(tried):
            files = set(tried.patch.files)
            sharing = tuple(one for one in before if one in needed or files & _files(one))
            if sharing != needed and _is_there(self._on(path, sharing)):
                below = self._fewest(path, sharing, needed)
                tried = self._on(path, below)
        if tried.verdict == "upstream" or not _is_there(tried):
            return Branch(tried, (), None)
        message = f"{tried.patch.subject}\n\n{note.message}".strip()
        amend = ["commit", "--amend", "--quiet", "--no-verify", "--file=-"]
        feed_git(amend, self.tree, message.encode(), IDENTITY)
        name = re.sub(r"[^a-z0-9]+", "-", tried.patch.subject.lower()).strip("-")
        run_git(["branch", "--force", name], self.tree)
        return Branch(tried, below, name)

    def _fewest(
        self, path: Path, below: tuple[Path, ...], needed: Collection[Path]
    ) -> tuple[Path, ...]:
        """Those without which a patch does not apply, of some on which it does."""
        for one in [one for one in below if one not in needed]:
            fewer = tuple(other for other in below if other != one)
            if _is_there(self._on(path, fewer)):
                below = fewer
        return below

    def _on(self, path: Path, below: Sequence[Path]) -> TriedPatch:
        """Try a patch on the newest state with others; what it then is, is checked out."""
        run_git(["checkout", "--quiet", "--force", "--detach", BASE], self.tree)
        for other in below:
            try_patch(self.tree, other, (), self._running)
        return try_patch(self.tree, path, (), self._running)

    def range_diff(self, branch: str, subject: str) -> str:
        """How the commit of a branch differs from that of the series; empty for not at all."""
        said = f"^{re.escape(subject)}$"
        for series in self._series:
            find = ["log", "-1", "--format=%H", "--extended-regexp", f"--grep={said}", series]
            if old := run_git(find, self.tree).strip():
                ranges = [f"{old}^..{old}", f"{branch}^..{branch}"]
                told = run_git(["range-diff", "--no-color", *ranges], self.tree)
                first = told.splitlines()[0] if told else ""
                return "" if re.match(r"1: +[0-9a-f]+ = 1: ", first) else told
        return ""

    def mail(self, branch: str, folder: Path | None) -> bytes:
        """The branch's last commit as `git format-patch` writes it, of a folder if one is named."""
        relative = [f"--relative={folder}"] if folder else []
        said = ["format-patch", *_FORMAT, *relative, "--stdout", "-1", branch]
        return feed_git(said, self.tree, b"")

    def settle(self) -> None:
        """Leave the newest state checked out."""
        run_git(["checkout", "--quiet", "--force", BASE], self.tree)


def _is_there(tried: TriedPatch) -> bool:
    return tried.verdict != "conflict" or tried.three_way == "resolves"


def _subject(path: Path) -> str:
    return details(path).subject


def _files(path: Path) -> set[str]:
    return set(details(path).files)
