"""Having a work folder with a repo's patch series: made, moved to another pin, or left as it is."""

import tempfile
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.git import run_git
from snakedev.base.job import Job
from snakedev.base.text import counted, first_of
from snakedev.sources import untracked
from snakedev.sources.patch_file import body
from snakedev.sources.source import IDENTITY
from snakedev.store.layout import Layout
from snakedev.store.publish import published
from snakedev.store.source_specs import SourceSpec
from snakedev.workbench import series
from snakedev.workbench.earlier import Earlier
from snakedev.workbench.folder import (
    BRANCH,
    PIN,
    RECORD,
    WorkFolder,
    WorkRecord,
    earlier_branch,
    pin_key,
)
from snakedev.workbench.gone import gone_paths
from snakedev.workbench.replay import Replayed, lenders_of, replay
from snakedev.workbench.session import refuse_waiting, start_session

# Files of Python's own that would look like edits.
_EXCLUDED = "__pycache__/\n*.pyc\n"


def edit(
    spec: SourceSpec,
    layout: Layout,
    archive: Path | None,
    folder: Path,
    running: Job,
    earlier: Earlier | None = None,
) -> None:
    """Have a work folder with the series of ``spec`` as commits on its pin.

    ``archive`` is the release's, None for origin git (the mirror has the commit then). A series
    that does not fit is replayed by three-way merges with the sources that it was made on, which
    are ``earlier``. Raises UserError when something in the folder would be lost, and Waiting when a
    patch conflicts: it says what to do then, and git waits in the folder.
    """
    if not folder.exists():
        waiting = _make(spec, layout, archive, folder, running, earlier)
        work = WorkFolder(folder, spec.repo)
    else:
        work = WorkFolder(folder, spec.repo)
        refuse_waiting(work)
        work.refuse_session()
        if _is_current(work, spec):
            work.refuse_other_pin(spec)
            if work.record.series != series.digests(spec.patches):
                work.write_series(spec.patches)
            _tell(work, spec.patches, running)
            return
        waiting = _move(spec, layout, archive, work, running, earlier)
        work = WorkFolder(folder, spec.repo)
    if waiting:
        start_session(work, waiting)
    _tell(work, spec.patches, running)


def _is_current(work: WorkFolder, spec: SourceSpec) -> bool:
    """Whether the folder is on the spec's pin, and made from (or the same as) its series."""
    if work.record.pin_key != pin_key(spec) or work.given_up:
        return False
    if work.record.series == series.digests(spec.patches):
        return True
    return work.on_the_pin and work.is_series(spec.patches)


def _tell(work: WorkFolder, files: Sequence[Path], running: Job) -> None:
    """Say what there is in the folder, and what is to be looked at."""
    for line in gone_paths(work):
        running.say(line)
    running.say(_ready(work, files))


def _ready(work: WorkFolder, files: Sequence[Path]) -> str:
    """What there is in the folder, and what can be done with it."""
    record = work.record
    count = counted(len(work.patches), "commit")
    said = f"{work} is ready, on {record.origin} {record.version} with {count}"
    if found := work.uncommitted():
        said += f"; not committed: {first_of(found)}"
    same = [body(patch.data) for patch in work.patches] == [body(f.read_bytes()) for f in files]
    if work.unexported(files) or not same:
        return f"{said}; patches/{work.repo} does not hold them: `snakemake export_{work.repo}`"
    return f"{said}: edit and commit there, then `snakemake export_{work.repo}`"


def _make(
    spec: SourceSpec,
    layout: Layout,
    archive: Path | None,
    folder: Path,
    running: Job,
    earlier: Earlier | None,
) -> tuple[Path, ...]:
    """Make a work folder; returns the patches that wait, the first of which conflicts.

    Where the series was made on another pin of this origin, it is there as a branch, as it was.
    """
    lenders = lenders_of(layout, spec.repo)
    with published(folder) as scratch:
        done = replay(spec, layout, archive, scratch, chain(lenders, earlier or ()), running)
        run_git(["branch", "--move", "--force", BRANCH], scratch)
        run_git(["tag", PIN, done.base], scratch)
        with (scratch / ".git/info/exclude").open("a") as file:
            file.write(_EXCLUDED)
        commit = _keep_made_on(spec, scratch, earlier) if earlier else None
        _record(spec, done, commit).write(scratch / RECORD)
    return done.waiting


def _keep_made_on(spec: SourceSpec, checkout: Path, earlier: Earlier) -> str | None:
    """Have a branch on the series as it was on the earlier pin of this origin, if it was."""
    before = next((one for one in earlier.specs if one.origin == spec.origin), None)
    tree = before and earlier.checkout(before)
    if not before or not tree:
        return None
    run_git(["fetch", "--quiet", "--no-tags", tree.resolve(), "HEAD"], checkout)
    commit = run_git(["rev-parse", "FETCH_HEAD"], checkout)
    name = earlier_branch(before.version, before.origin, commit)
    run_git(["update-ref", f"refs/heads/{name}", commit], checkout)
    return commit


def _move(
    spec: SourceSpec,
    layout: Layout,
    archive: Path | None,
    work: WorkFolder,
    running: Job,
    earlier: Earlier | None,
) -> tuple[Path, ...]:
    """Have a folder's series on another pin, or another series; returns as `_make` does.

    The new state is made elsewhere and put in place at the end; a kill in between is mended by
    the next call.
    """
    _refuse_unsaved(work, spec)
    before = f"{work.record.origin} {work.record.version}"
    with tempfile.TemporaryDirectory(prefix="snakedev-edit-") as folder:
        scratch = Path(folder) / work.repo
        lenders = chain([work.path, *lenders_of(layout, spec.repo)], earlier or ())
        done = replay(spec, layout, archive, scratch, lenders, running)
        work.git("fetch", "--quiet", "--no-tags", scratch.resolve(), "HEAD")
        untracked.copy(scratch, work.path)
    moved = work.record.pin_key != pin_key(spec)
    stayed = work.given_up or not moved
    commit = work.record.earlier if stayed else work.head
    kept = work.keep_earlier()
    _record(spec, done, commit).write(work.path / RECORD)
    run_git(["checkout", "--quiet", "-B", BRANCH, done.tip], work.path, IDENTITY)
    work.git("tag", "--force", PIN, done.base)
    untracked.lay_out_folders(work.path)
    what = f"moved from {before}" if moved else "made again from the patches as they are now"
    running.say(f"{work}: {what}; what it was is on the branch {kept}")
    return done.waiting


def _record(spec: SourceSpec, done: Replayed, earlier: str | None) -> WorkRecord:
    return WorkRecord(
        repo=spec.repo,
        origin=spec.origin,
        version=spec.version,
        pin_key=pin_key(spec),
        base=done.base,
        series=series.digests(spec.patches),
        head=None if done.waiting else done.tip,
        began=done.tip if done.waiting else None,
        earlier=earlier,
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
            f"{why} has edits that are not committed ({first_of(found)}): commit them, or "
            f"`git -C {work} stash -u`; nothing was touched"
        )
    if work.given_up or not work.unexported(spec.patches):
        return
    unsaved = series.commits(work.path, work.record.head or work.record.base, "HEAD")
    has = f"has commits that are not exported ({first_of([c.subject for c in unsaved])})"
    aside = f"set them aside: `git -C {work} branch mine && git -C {work} reset --hard "
    aside += f"{(work.record.head or work.record.base)[:12]}`"
    way = (
        f"put the earlier pin back and run `snakemake export_{work.repo}`, or {aside}"
        if moving
        else f"{aside}, run `snakemake edit_{work.repo}`, then `git -C {work} cherry-pick` them"
    )
    raise UserError(f"{why} {has}: {way}; nothing was touched")
