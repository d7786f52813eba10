"""The patch workbench: work/<repo>, the checkout in which a repo's patch series is edited.

The folder belongs to the person who edits: their git settings apply to what they do in it, and
nothing of theirs is ever overwritten. What is done here runs without their settings. Everything
that the folder needs is in it, so that no removal elsewhere can break it.
"""

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.git import feed_git, run_git
from snakedev.base.job import Job
from snakedev.base.process import CommandError, output
from snakedev.base.records import Record
from snakedev.base.text import counted, first, listed
from snakedev.config.fields import Origin
from snakedev.sources.patch_file import body, made_from
from snakedev.sources.source import AM_OPTIONS, IDENTITY, lay_base
from snakedev.store.layout import Layout
from snakedev.store.publish import published
from snakedev.store.specs import SourceSpec
from snakedev.workbench import series

BRANCH = "series"
"""The branch that holds the series."""
PIN = "pin"
"""The tag on the commit that the series begins on."""
EARLIER = "earlier"
"""Where branches lie that keep what the series was before."""
# Files of Python's own that would look like edits.
_EXCLUDED = "__pycache__/\n*.pyc\n"
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


class WorkFolder:
    """A work folder that is there."""

    def __init__(self, path: Path, repo: str):
        """Raises UserError when there is none, or what is there is something else."""
        self.path, self.repo = path, repo
        if not path.is_dir():
            raise UserError(f"{self} is not there: run `snakemake edit_{repo}` first")
        self._file = path / ".git" / "snakedev.json"
        if not self._file.is_file():
            raise UserError(
                f"{self} was not made by `snakemake edit_{repo}`: move it out of the way"
            )
        self.record = WorkRecord.read(self._file)

    def __str__(self) -> str:
        return f"work/{self.repo}"

    def write(self, **changes: object) -> None:
        """Change the folder's record."""
        self.record = self.record.model_copy(update=changes)
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
        words = ["status", "--porcelain", "--untracked-files=all", "--no-renames"]
        printed = self.git("-c", f"core.excludesFile={user_excludes()}", *words)
        return [line.strip().split(maxsplit=1)[1] for line in printed.splitlines()]

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
            name = f"{EARLIER}/{self.record.version}-{self.record.origin}-{commit[:12]}"
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


@dataclass(frozen=True)
class _Replayed:
    """What became of a series on a pin."""

    base: str
    tip: str
    dropped: tuple[Path, ...]
    """Patches whose change the pin has already."""
    waiting: tuple[Path, ...]
    """The first patch that conflicts, and those after it."""


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


def edit(
    spec: SourceSpec, layout: Layout, archive: Path | None, folder: Path, running: Job
) -> None:
    """Have a work folder with the series of ``spec`` as commits on its pin.

    ``archive`` is the release's, None for origin git (the mirror has the commit then). A series
    that does not fit is replayed by three-way merges. Raises UserError when something in the
    folder would be lost, and when a patch conflicts: it says what to do then, and git waits in
    the folder.
    """
    if not folder.exists():
        waiting = _make(spec, layout, archive, folder, running)
        work = WorkFolder(folder, spec.repo)
    else:
        work = WorkFolder(folder, spec.repo)
        work.refuse_session()
        if _is_current(work, spec):
            work.refuse_other_pin(spec)
            running.say(_ready(work, spec.patches))
            return
        waiting = _move(spec, layout, archive, work, running)
        work = WorkFolder(folder, spec.repo)
    if waiting:
        _start_session(work, waiting)
    running.say(_ready(work, spec.patches))


def export(spec: SourceSpec, folder: Path, patches: Path, running: Job) -> None:
    """Write the commits of a work folder to ``patches``, the repo's folder of patch files.

    The source is built from the exported series first, and has to be what is checked out. Raises
    UserError, with nothing written, when it is not, or when the folder is not ready for it.
    """
    work = WorkFolder(folder, spec.repo)
    work.refuse_session()
    work.refuse_other_pin(spec)
    if found := work.uncommitted():
        raise UserError(
            f"{work}: {listed(found)} not committed: commit first, or put aside with "
            f"`git -C {work} stash -u`"
        )
    for commit in series.empty_commits(work.path, work.record.base, "HEAD"):
        running.say(f"left out: {commit} changes nothing")
    _refuse_changed(work, spec.patches)
    target = series.placed(work.patches, spec.patches, patches)
    with tempfile.TemporaryDirectory(prefix="snakedev-export-") as scratch:
        copies = [Path(scratch) / path.name for path in target]
        for copy, data in zip(copies, target.values(), strict=True):
            copy.write_bytes(data)
        series.verify(work.path, work.record.base, "HEAD", copies, running)
    for line in series.write_series(target, spec.patches):
        running.say(line)
    work.write(series=series.digests(list(target)), head=work.head, began=None)
    patches = counted(target, "patch", "es")
    running.say(f"patches/{spec.repo} holds what {work} does: {patches}")


def _is_current(work: WorkFolder, spec: SourceSpec) -> bool:
    """Whether the folder is on the spec's pin, and made from (or the same as) its series."""
    if work.record.pin_key != pin_key(spec) or work.given_up:
        return False
    known = series.digests(spec.patches)
    if work.record.series != known:
        if not work.on_the_pin or not work.is_series(spec.patches):
            return False
        work.write(series=known, head=work.head, began=None)
    return True


def _ready(work: WorkFolder, files: Sequence[Path]) -> str:
    """What there is in the folder, and what can be done with it."""
    record = work.record
    count = counted(work.patches, "commit", "s")
    said = f"{work} is ready, on {record.origin} {record.version} with {count}"
    if found := work.uncommitted():
        said += f"; not committed: {', '.join(first(found))}"
    same = [body(patch.data) for patch in work.patches] == [body(f.read_bytes()) for f in files]
    if work.unexported(files) or not same:
        return f"{said}; patches/{work.repo} does not hold them: `snakemake export_{work.repo}`"
    return f"{said}: edit and commit there, then `snakemake export_{work.repo}`"


def _make(
    spec: SourceSpec, layout: Layout, archive: Path | None, folder: Path, running: Job
) -> tuple[Path, ...]:
    """Make a work folder; returns the patches that wait, the first of which conflicts."""
    with published(folder) as scratch:
        done = _replay(spec, layout, archive, scratch, _lenders(layout, spec.repo), running)
        run_git(["branch", "--move", "--force", BRANCH], scratch)
        run_git(["tag", PIN, done.base], scratch)
        with (scratch / ".git/info/exclude").open("a") as file:
            file.write(_EXCLUDED)
        _record(spec, done).write(scratch / ".git/snakedev.json")
    return done.waiting


def _move(
    spec: SourceSpec, layout: Layout, archive: Path | None, work: WorkFolder, running: Job
) -> tuple[Path, ...]:
    """Have a folder's series on another pin, or another series; returns as `_make` does.

    The new state is made elsewhere and put in place at the end; a kill in between is mended by
    the next call.
    """
    _refuse_unsaved(work, spec)
    before = f"{work.record.origin} {work.record.version}"
    with tempfile.TemporaryDirectory(prefix="snakedev-edit-") as folder:
        scratch = Path(folder) / work.repo
        lenders = [work.path, *_lenders(layout, spec.repo)]
        done = _replay(spec, layout, archive, scratch, lenders, running)
        work.git("fetch", "--quiet", "--no-tags", scratch.resolve(), "HEAD")
    kept = work.keep_earlier()
    moved = work.record.pin_key != pin_key(spec)
    _record(spec, done).write(work.path / ".git/snakedev.json")
    run_git(["checkout", "--quiet", "-B", BRANCH, done.tip], work.path, IDENTITY)
    work.git("tag", "--force", PIN, done.base)
    what = f"moved from {before}" if moved else "made again from the patches as they are now"
    running.say(f"{work}: {what}; what it was is on the branch {kept}")
    return done.waiting


def _record(spec: SourceSpec, done: _Replayed) -> WorkRecord:
    return WorkRecord(
        repo=spec.repo,
        origin=spec.origin,
        version=spec.version,
        pin_key=pin_key(spec),
        base=done.base,
        series=series.digests(spec.patches),
        head=None if done.waiting else done.tip,
        began=done.tip if done.waiting else None,
    )


def _refuse_unsaved(work: WorkFolder, spec: SourceSpec) -> None:
    """Raise UserError when there is something in the folder that a move would hide."""
    moving = work.record.pin_key != pin_key(spec)
    at = f"{work.record.origin} {work.record.version}"
    why = (
        f"config.yaml names another pin of {work.repo}, and {work}, on {at},"
        if moving
        else f"patches/{work.repo} is no longer what {work} was made from, and {work}"
    )
    if found := work.uncommitted():
        raise UserError(
            f"{why} has edits that are not committed ({', '.join(first(found))}): commit them, or "
            f"`git -C {work} stash -u`; nothing was touched"
        )
    if work.given_up or not work.unexported(spec.patches):
        return
    unsaved = series.commits(work.path, work.record.head or work.record.base, "HEAD")
    has = f"has commits that are not exported ({', '.join(first([c.subject for c in unsaved]))})"
    aside = f"set them aside: `git -C {work} branch mine && git -C {work} reset --hard "
    aside += f"{(work.record.head or work.record.base)[:12]}`"
    way = (
        f"put the earlier pin back and run `snakemake export_{work.repo}`, or {aside}"
        if moving
        else f"{aside}, run `snakemake edit_{work.repo}`, then `git -C {work} cherry-pick` them"
    )
    raise UserError(f"{why} {has}: {way}; nothing was touched")


def _refuse_changed(work: WorkFolder, files: Sequence[Path]) -> None:
    """Raise UserError when an export would undo what happened to the patch files since."""
    known = dict(zip(series.digests(files), files, strict=True))
    here = {series.digest(patch.data) for patch in work.patches}
    changed = [
        f"{f.name} is new" for d, f in known.items() if d not in here | {*work.record.series}
    ]
    gone = [d for d in work.record.series if d in here and d not in known]
    if changed or gone:
        what = ", ".join(first([*changed, *(["others are gone"] if gone else [])]))
        raise UserError(
            f"patches/{work.repo} has changed since {work} was made from it ({what}), and an "
            f"export would undo that: run `snakemake edit_{work.repo}`"
        )


def _replay(
    spec: SourceSpec,
    layout: Layout,
    archive: Path | None,
    scratch: Path,
    lenders: Iterable[Path],
    running: Job,
) -> _Replayed:
    """Make a checkout of the spec's pin, with its series up to the first conflict."""
    lay_base(spec, layout, archive, scratch)
    base = run_git(["rev-parse", "HEAD"], scratch)
    dropped: list[Path] = []
    waiting: tuple[Path, ...] = ()
    lent = False
    for number, patch in enumerate(spec.patches):
        before = run_git(["rev-parse", "HEAD"], scratch)
        try:
            _am(scratch, [patch], "--no-3way")
        except CommandError:
            if not lent:
                _lend(scratch, spec.patches, lenders)
                lent = True
            if not _merged(scratch, patch, running):
                waiting = spec.patches[number:]
                break
        if run_git(["rev-parse", "HEAD"], scratch) == before:
            dropped.append(patch)
            running.say(f"dropped {patch.name}: {spec.origin} {spec.version} has that change")
    tip = run_git(["rev-parse", "HEAD"], scratch)
    return _Replayed(base, tip, tuple(dropped), waiting)


def _merged(scratch: Path, patch: Path, running: Job) -> bool:
    """Take a patch by a three-way merge, or find that it is there already; False: a conflict."""
    run_git(["am", "--quiet", "--abort"], scratch, IDENTITY)
    try:
        _am(scratch, [patch], "--3way")
        running.note(f"{patch.name}: by a three-way merge")
        return True
    except CommandError as error:
        running.note("\n".join(error.tail))
        run_git(["am", "--quiet", "--quit"], scratch, IDENTITY)
        run_git(["reset", "--quiet", "--hard"], scratch)
    try:
        run_git(["apply", "--check", "--reverse", patch.resolve()], scratch)
    except CommandError:
        return False
    return True


def _am(repository: Path, patches: Sequence[Path], how: str) -> None:
    words = ["am", "--quiet", how, *AM_OPTIONS, *(patch.resolve() for patch in patches)]
    run_git(words, repository, IDENTITY)


def _start_session(work: WorkFolder, waiting: Sequence[Path]) -> None:
    """Let git stop at a conflict in the folder, with the other patches queued."""
    try:
        _am(work.path, waiting, "--3way")
    except CommandError:
        pass
    else:
        return
    at, first = f"git -C {work}", waiting[0]
    conflicts = work.git("diff", "--name-only", "--diff-filter=U").splitlines()
    if conflicts:
        lines = [f"{work}: {first.name} conflicts with the pin in {', '.join(conflicts)}"]
        mend = f"mend these files, and `{at} add` them"
    else:
        lines = [
            f"{work}: {first.name} does not fit the pin, and the files that it was made from are "
            "not here to merge with"
        ]
        mend = (
            f"`{at} apply --reject .git/rebase-apply/patch`, put in by hand what the .rej files "
            f"hold, remove them, and `{at} add` what changed"
        )
    count = len(work.patches)
    lines += [
        f"{count} of the patches are on it, {len(waiting)} wait, this one first. What to do:",
        f"  1. {mend}",
        f"  2. `{at} am --continue`, which goes on with the others (`{at} am --skip` drops this "
        f"one)",
        f"  3. `snakemake edit_{work.repo}` says whether all is done, `snakemake "
        f"export_{work.repo}` writes the series",
    ]
    raise UserError("\n".join(lines))


def _lenders(layout: Layout, repo: str) -> list[Path]:
    """Repositories that may hold the files that a repo's patches were made from."""
    homes = dict.fromkeys((layout.root, layout.store or layout.root))
    found = [tree for home in homes for tree in sorted(home.glob(f"sources/{repo}/*/tree"))]
    found += sorted(layout.root.glob(f"build/*/{repo}/*/tree"))
    mirror = layout.mirror(repo)
    return [*found, *([mirror] if mirror.is_dir() else [])]


def _lend(repository: Path, patches: Sequence[Path], lenders: Iterable[Path]) -> None:
    """Copy the files that patches were made from into a repository, as far as others have them."""
    wanted = {blob for patch in patches for blob in made_from(patch.read_bytes())}
    wanted -= set(_blobs(repository, wanted))
    for lender in lenders:
        there = _blobs(lender, wanted)
        if there:
            packed = feed_git(["pack-objects", "--stdout", "-q"], lender, _lines(there.values()))
            feed_git(["unpack-objects", "-q"], repository, packed)
            wanted -= set(there)


def _blobs(repository: Path, names: Iterable[str]) -> dict[str, str]:
    """The full ids of those files that a repository has, by the ids as they are given."""
    ordered = sorted(names)
    printed = feed_git(["cat-file", "--batch-check"], repository, _lines(ordered))
    found = {}
    for name, line in zip(ordered, printed.decode().splitlines(), strict=False):
        if (words := line.split())[1:2] == ["blob"]:
            found[name] = words[0]
    return found


def _lines(words: Iterable[str]) -> bytes:
    return "".join(f"{word}\n" for word in words).encode()
