"""Names of a series' files: those that they have, while the order of names is that of commits."""

import re
from bisect import bisect_left
from collections.abc import Collection, Sequence
from pathlib import Path

from snakedev.sources.patch_file import details
from snakedev.workbench.series import Patch

_NUMBER = re.compile(r"(\d+)-")


def placed(patches: Sequence[Patch], existing: Sequence[Path], folder: Path) -> dict[Path, bytes]:
    """Where each patch of a series goes: the files that should be there, with their bytes.

    ``existing`` are the present files of the series, in order. A commit that came from one of
    them goes back into its folder, under its name while the subject is the same and the order
    allows that; all others go into ``folder``, named as git names them. All get git's names where
    the order of names would else be another than that of the commits.
    """
    origins = _origins(patches, existing)
    keeping = _longest_run(
        [
            file.name if file is not None and _known(file)[2] == patch.commit.subject else None
            for patch, file in zip(patches, origins, strict=True)
        ]
    )
    target = _named(patches, origins, keeping, folder)
    names = [path.name for path in target]
    if len(names) < len(patches) or names != sorted(set(names)):
        target = _named(patches, origins, frozenset(), folder)
    return target


def _named(
    patches: Sequence[Patch],
    origins: Sequence[Path | None],
    keeping: Collection[int],
    folder: Path,
) -> dict[Path, bytes]:
    """The files of a series, those at the positions ``keeping`` under the names that they have."""
    target: dict[Path, bytes] = {}
    last, number, width = "", 0, 4
    for position, (patch, file) in enumerate(zip(patches, origins, strict=True)):
        if file is not None and position in keeping and file.name > last:
            name = file.name
        else:
            _, _, subject = patch.name.partition("-")
            name = f"{number + 1:0{width}}-{subject}"
        if match := _NUMBER.match(name):
            number, width = int(match[1]), len(match[1])
        else:
            number += 1
        last = name
        target[(file.parent if file is not None else folder) / name] = patch.data
    return target


def _origins(patches: Sequence[Patch], existing: Sequence[Path]) -> list[Path | None]:
    """The file that each commit came from: by all that it says, by who wrote it when, by subject.

    Author and date outlive an amended message and a rebase, and are no proof where several
    commits share them: those are paired in order, if there are as many of one as of the other.
    """
    found: dict[int, Path] = {}
    known: dict[Path, tuple[object, ...]] = {file: _known(file) for file in existing}

    def pair(parts: slice) -> None:
        groups: dict[object, tuple[list[int], list[Path]]] = {}
        for position, patch in enumerate(patches):
            if position not in found:
                commit = patch.commit
                told = (commit.author, commit.date, commit.subject)[parts]
                groups.setdefault(told, ([], []))[0].append(position)
        for file, said in known.items():
            if file not in found.values() and said[parts] in groups:
                groups[said[parts]][1].append(file)
        for positions, files in groups.values():
            if len(positions) == len(files):
                found.update(zip(positions, files, strict=True))

    for parts in (slice(3), slice(2), slice(2, 3)):
        pair(parts)
    return [found.get(position) for position in range(len(patches))]


def _known(file: Path) -> tuple[str, int, str]:
    """A patch file's author, date and subject."""
    patch = details(file)
    date = int(patch.date.timestamp()) if patch.date else 0
    return patch.author, date, patch.subject


def _longest_run(names: Sequence[str | None]) -> set[int]:
    """Positions of the longest rising run of names: those that can stay as they are."""
    ends: list[str] = []
    at: list[int] = []
    before: dict[int, int | None] = {}
    for position, name in enumerate(names):
        if name is None:
            continue
        place = bisect_left(ends, name)
        ends[place:] = [name, *ends[place + 1 :]]
        at[place:] = [position, *at[place + 1 :]]
        before[position] = at[place - 1] if place else None
    kept: set[int] = set()
    step = at[-1] if at else None
    while step is not None:
        kept.add(step)
        step = before[step]
    return kept
