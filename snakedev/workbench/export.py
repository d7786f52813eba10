"""Exporting a work folder: its commits as the patch files of its repo."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.text import counted, first_of
from snakedev.sources.patch_file import SERIES_RECORD, in_order
from snakedev.sources.series_pin import write_pin
from snakedev.store.source_specs import SourceSpec
from snakedev.workbench import series
from snakedev.workbench.folder import WorkFolder
from snakedev.workbench.gone import gone_paths
from snakedev.workbench.naming import placed


def export(spec: SourceSpec, folder: Path, patches: Path, running: Job) -> None:
    """Write the commits of a work folder to ``patches``, the repo's folder of patch files.

    The source is built from the exported series first, and has to be what is checked out. Raises
    UserError, with nothing written, when it is not, or when the folder is not ready for it.
    """
    work = WorkFolder(folder, spec.repo)
    work.refuse_session()
    work.refuse_other_pin(spec)
    if found := work.uncommitted():
        verb = "is" if len(found) == 1 else "are"
        raise UserError(
            f"{work}: {first_of(found)} {verb} not committed: commit first, or put aside with "
            f"`git -C {work} stash -u`"
        )
    for commit in series.empty_commits(work.path, work.record.base, "HEAD"):
        running.say(f"left out: {commit} changes nothing")
    _refuse_changed(work, spec.patches)
    target = placed(work.patches, spec.patches, patches)
    with tempfile.TemporaryDirectory(prefix="snakedev-export-") as scratch:
        copies = [Path(scratch) / path.name for path in target]
        for copy, data in zip(copies, target.values(), strict=True):
            copy.write_bytes(data)
        # in the order in which they will be read back
        series.verify(work.path, work.record.base, "HEAD", in_order(copies), running)
    gone = gone_paths(work)
    for line in [*series.write_series(target, spec.patches), *gone]:
        running.say(line)
    if write_pin(patches, spec):
        running.say(f"{SERIES_RECORD}: made on {spec.origin} {spec.version}")
    work.write_series(list(target))
    running.say(
        f"patches/{spec.repo} holds what {work} does: {counted(len(target), 'patch', 'patches')}"
    )


def _refuse_changed(work: WorkFolder, files: Sequence[Path]) -> None:
    """Raise UserError when an export would undo what happened to the patch files since."""
    known = dict(zip(series.digests(files), files, strict=True))
    here = {series.digest(patch.data) for patch in work.patches}
    changed = [
        f"{f.name} is new" for d, f in known.items() if d not in here | {*work.record.series}
    ]
    gone = [d for d in work.record.series if d in here and d not in known]
    if changed or gone:
        what = first_of([*changed, *(["others are gone"] if gone else [])])
        raise UserError(
            f"patches/{work.repo} has changed since {work} was made from it ({what}), and an "
            f"export would undo that: run `snakemake edit_{work.repo}`"
        )
