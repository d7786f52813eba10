"""Having a work folder with a repo's patch series: made, moved to another pin, or left as it is."""

import tempfile
from collections.abc import Sequence
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
from snakedev.workbench.folder import BRANCH, PIN, RECORD, WorkFolder, WorkRecord, pin_key
from snakedev.workbench.replay import Replayed, lenders_of, replay, start_session

# Files of Python's own that would look like edits.
_EXCLUDED = "__pycache__/\n*.pyc\n"


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
            if work.record.series != series.digests(spec.patches):
                work.write_series(spec.patches)
            running.say(_ready(work, spec.patches))
            return
        waiting = _move(spec, layout, archive, work, running)
        work = WorkFolder(folder, spec.repo)
    if waiting:
        start_session(work, waiting)
    running.say(_ready(work, spec.patches))


def _is_current(work: WorkFolder, spec: SourceSpec) -> bool:
    """Whether the folder is on the spec's pin, and made from (or the same as) its series."""
    if work.record.pin_key != pin_key(spec) or work.given_up:
        return False
    if work.record.series == series.digests(spec.patches):
        return True
    return work.on_the_pin and work.is_series(spec.patches)


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
    spec: SourceSpec, layout: Layout, archive: Path | None, folder: Path, running: Job
) -> tuple[Path, ...]:
    """Make a work folder; returns the patches that wait, the first of which conflicts."""
    with published(folder) as scratch:
        done = replay(spec, layout, archive, scratch, lenders_of(layout, spec.repo), running)
        run_git(["branch", "--move", "--force", BRANCH], scratch)
        run_git(["tag", PIN, done.base], scratch)
        with (scratch / ".git/info/exclude").open("a") as file:
            file.write(_EXCLUDED)
        _record(spec, done).write(scratch / RECORD)
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
        lenders = [work.path, *lenders_of(layout, spec.repo)]
        done = replay(spec, layout, archive, scratch, lenders, running)
        work.git("fetch", "--quiet", "--no-tags", scratch.resolve(), "HEAD")
        untracked.copy(scratch, work.path)
    kept = work.keep_earlier()
    moved = work.record.pin_key != pin_key(spec)
    _record(spec, done).write(work.path / RECORD)
    run_git(["checkout", "--quiet", "-B", BRANCH, done.tip], work.path, IDENTITY)
    work.git("tag", "--force", PIN, done.base)
    untracked.lay_out_folders(work.path)
    what = f"moved from {before}" if moved else "made again from the patches as they are now"
    running.say(f"{work}: {what}; what it was is on the branch {kept}")
    return done.waiting


def _record(spec: SourceSpec, done: Replayed) -> WorkRecord:
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
