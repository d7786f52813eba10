"""Replaying a patch series on a pin: by three-way merges where it does not fit."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from snakedev.base.git import feed_git, run_git
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.sources.patch_file import diff, made_from
from snakedev.sources.source import abort, apply_patches, lay_base
from snakedev.store.layout import Layout
from snakedev.store.source_specs import SourceSpec

_TELLING = re.compile("error: |fatal: |CONFLICT |warning: ")


@dataclass(frozen=True)
class Replayed:
    """What became of a series on a pin."""

    base: str
    tip: str
    waiting: tuple[Path, ...]
    """The first patch that conflicts, and those after it."""


def replay(
    spec: SourceSpec,
    layout: Layout,
    archive: Path | None,
    scratch: Path,
    lenders: Iterable[Path],
    running: Job,
) -> Replayed:
    """Make a checkout of the spec's pin, with its series up to the first conflict.

    What a three-way merge needs is taken from the repositories ``lenders``. A patch whose change
    the pin has already is dropped, which is said.
    """
    lay_base(spec, layout, archive, scratch)
    base = run_git(["rev-parse", "HEAD"], scratch)
    waiting: tuple[Path, ...] = ()
    lent = False
    for number, patch in enumerate(spec.patches):
        before = run_git(["rev-parse", "HEAD"], scratch)
        try:
            apply_patches(scratch, [patch])
        except CommandError:
            if not lent:
                _lend(scratch, spec.patches, lenders)
                lent = True
            if not _merged(scratch, patch, running):
                waiting = spec.patches[number:]
                break
        if run_git(["rev-parse", "HEAD"], scratch) == before:
            running.say(f"dropped {patch.name}: {spec.origin} {spec.version} has that change")
    tip = run_git(["rev-parse", "HEAD"], scratch)
    return Replayed(base, tip, waiting)


def _merged(scratch: Path, patch: Path, running: Job) -> bool:
    """Take a patch by a three-way merge, or find that it is there already; False: a conflict."""
    abort(scratch)
    try:
        apply_patches(scratch, [patch], three_way=True)
        running.note(f"{patch.name}: by a three-way merge")
        return True
    except CommandError as error:
        # without git's number of the patch, which it alone has, and what it says to do
        told = [line for line in error.tail if _TELLING.match(line)]
        running.note("\n".join(f"{patch.name}: {line}" for line in told))
        abort(scratch)
        run_git(["reset", "--quiet", "--hard"], scratch)
    try:
        feed_git(["apply", "--check", "--reverse", "-"], scratch, diff(patch.read_bytes()))
    except CommandError:
        return False
    return True


def lenders_of(layout: Layout, repo: str) -> list[Path]:
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
    places = iter(lenders)
    while wanted and (lender := next(places, None)):
        there = _blobs(lender, wanted)
        if there:
            packed = feed_git(["pack-objects", "--stdout", "-q"], lender, _as_lines(there.values()))
            feed_git(["unpack-objects", "-q"], repository, packed)
            wanted -= set(there)


def _blobs(repository: Path, names: Iterable[str]) -> dict[str, str]:
    """The full ids of those files that a repository has, by the ids as they are given."""
    ordered = sorted(names)
    printed = feed_git(["cat-file", "--batch-check"], repository, _as_lines(ordered))
    found = {}
    for name, line in zip(ordered, printed.decode().splitlines(), strict=False):
        if (words := line.split())[1:2] == ["blob"]:
            found[name] = words[0]
    return found


def _as_lines(words: Iterable[str]) -> bytes:
    return "".join(f"{word}\n" for word in words).encode()
