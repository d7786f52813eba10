"""The series of a moved pin: replayed in the work folder, and exported."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.text import first_of
from snakedev.bump.target import Places
from snakedev.fetch.pinned import fetch_pinned
from snakedev.plan.sources import Sources
from snakedev.reports.bump.record import ReplayedPatch
from snakedev.sources.patch_file import body, details
from snakedev.workbench.earlier import Earlier
from snakedev.workbench.edit import edit
from snakedev.workbench.export import export
from snakedev.workbench.folder import WorkFolder
from snakedev.workbench.gone import gone_paths
from snakedev.workbench.session import queued


@dataclass(frozen=True)
class Series:
    """What became of a series."""

    patches: tuple[ReplayedPatch, ...]
    problem: str | None = None
    """Why it is not all on the pin."""
    gone: tuple[str, ...] = ()
    """Lines on paths in its new lines that the source has no more."""


def as_it_stands(sources: Sources, repo: str) -> tuple[ReplayedPatch, ...]:
    """A series before any of it is replayed."""
    return tuple(
        ReplayedPatch(
            name=path.name,
            subject=details(path).subject,
            outcome="waiting",
            changes_sha256=_digest(path.read_bytes()),
        )
        for path in sources.pinned_source(repo).patches
    )


def moved(before: Sequence[ReplayedPatch], sources: Sources, places: Places, repo: str) -> Series:
    """Have a repo's series on the pin of the configuration, and in its patch files.

    ``before`` is the series as it was on the earlier pin. A conflict is left to git in the work
    folder: it is in the result, with what to do.
    """
    spec, running = sources.pinned_source(repo), places.running
    if not before:
        return Series(())
    fetch = partial(fetch_pinned, config=places.config, running=running)
    archive, folder = fetch(spec), sources.work_folder(repo)
    try:
        with Earlier(sources.made_on(repo), places.layout, fetch, running) as earlier:
            edit(spec, places.layout, archive, folder, running, earlier)
        export(spec, folder, sources.project / "patches" / repo, running)
    except UserError as error:
        told = f"{error}\nWhen that is done, the same `snakemake bump` goes on."
        return Series(tuple(_under_way(before, folder, repo)), told)
    work = WorkFolder(folder, repo)
    return Series(tuple(_fared(before, _bodies(work))), gone=tuple(gone_paths(work)))


def _under_way(before: Sequence[ReplayedPatch], folder: Path, repo: str) -> list[ReplayedPatch]:
    """How far git is with a series that it stopped in."""
    if not folder.is_dir():
        return [*before]
    work = WorkFolder(folder, repo)
    left = queued(folder)
    names = [patch.name for patch in before]
    if not left or left[0] not in names:
        return [*before]
    done = names.index(left[0])
    files = work.git("diff", "--name-only", "--diff-filter=U").splitlines()
    stopped = before[done].model_copy(
        update={"outcome": "conflict", "detail": first_of(files) or "its files are not here"}
    )
    return [*_fared(before[:done], _bodies(work)), stopped, *before[done + 1 :]]


def _fared(before: Sequence[ReplayedPatch], after: Mapping[str, str]) -> list[ReplayedPatch]:
    """Patches of which all is done, by what of them is there by subject."""
    found = []
    for patch in before:
        digest = after.get(patch.subject)
        outcome = (
            "dropped"
            if digest is None
            else "unchanged"
            if digest == patch.changes_sha256
            else "merged"
        )
        found.append(patch.model_copy(update={"outcome": outcome}))
    return found


def _bodies(work: WorkFolder) -> dict[str, str]:
    return {patch.commit.subject: _digest(patch.data) for patch in work.patches}


def _digest(data: bytes) -> str:
    """sha256 of the lines that a patch adds and removes, wherever they stand."""
    lines = body(data).splitlines(keepends=True)
    told = (line for line in lines if line.startswith((b"+", b"-", b"diff ")))
    return hashlib.sha256(b"".join(told)).hexdigest()
