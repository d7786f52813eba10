"""What a package index has of a project for a free-threaded Python, read off its files' names.

A free-threaded interpreter takes wheels of its own ABI (cp314t) and those of no ABI (py3-none), and
never a wheel of an ordinary one's: neither cp314 nor abi3.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Literal

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.version import Version

from snakedev.base.records import Record
from snakedev.fetch.index_pages import IndexFile, Page

PLATFORM = "x86_64-manylinux_2_39"
"""What wheels are looked for, in uv's words: a current Linux. A file's name says what it needs."""

OF_THE_INDEX = ("cpu", "cuda")
"""The variants whose packages the usual index has."""

State = Literal["pure", "no abi", "free-threaded", "elsewhere", "gil", "source", "none"]


class Offer(Record):
    """A wheel that the interpreter takes."""

    version: str
    file: str
    uploaded: datetime | None


class Availability(Record):
    """What an index has of a project at one version, and beside it where that cannot be had."""

    state: State
    """At the version: `pure` (py3-none-any), `no abi` (binaries that use no ABI of Python) or
    `free-threaded` (its own ABI). Otherwise: `elsewhere` (a wheel it takes, of another version
    only), `gil` (wheels of other ABIs only), `source` (source distributions only), `none`."""
    listed: bool
    """Whether the index has a project of that name."""
    file: str | None = None
    """The file that shows it: the wheel that would be installed, or one that it is not."""
    uploaded: datetime | None = None
    """When that file came to the index, where the index says so."""
    abis: tuple[str, ...] = ()
    """For `gil`: the ABIs that there are wheels of."""
    final: Offer | None = None
    """For `elsewhere`: the newest release with a wheel."""
    pre: Offer | None = None
    """For `elsewhere`: the newest pre-release with a wheel, where it is newer than `final`."""

    @property
    def installable(self) -> bool:
        """Whether the version itself can be had from the index."""
        return self.state in ("pure", "no abi", "free-threaded")


@dataclass
class _Release:
    """The files of one version."""

    taken: list[tuple[int, IndexFile, Tag]] = field(default_factory=list)
    """Wheels that the interpreter takes, each with the rank and the tag by which it does."""
    others: list[tuple[IndexFile, frozenset[Tag]]] = field(default_factory=list)
    """Other wheels for the platform."""
    sources: list[IndexFile] = field(default_factory=list)
    pulled: bool = False
    """Whether all of it was yanked."""


def judge(page: Page, version: str | None, python: str) -> Availability:
    """What of a project's files a free-threaded ``python`` (as `3.14`) can have at a version.

    ``version`` None means the newest release that the index has. What was yanked counts at the
    very version that is asked for, as it does for pip.
    """
    here = _release(page.of(version or newest(page)), python)
    if here.taken:
        _, file, tag = min(here.taken, key=lambda one: one[0])
        if tag.abi != "none":
            state: State = "free-threaded"
        else:
            state = "pure" if tag.platform == "any" else "no abi"
        return _shown_by(state, file)
    releases = {wanted: _release(files, python) for wanted, files in page.releases.items()}
    offered = {v: r for v, r in releases.items() if r.taken and not r.pulled}
    if offered:
        final = max((v for v in offered if not v.is_prerelease), default=None)
        pre = max((v for v in offered if v.is_prerelease), default=None)
        if final and pre and pre < final:
            pre = None
        return Availability(
            state="elsewhere",
            listed=True,
            file=here.others[0][0].name if here.others else None,
            final=_offer(final, offered),
            pre=_offer(pre, offered),
        )
    with_wheels = [v for v, r in releases.items() if r.others]
    if here.others or with_wheels:
        shown = here if here.others else releases[max(with_wheels)]
        wheels = _shown_by("gil", shown.others[0][0])
        return wheels.model_copy(update={"abis": _abis(tags for _, tags in shown.others)})
    with_source = [v for v, r in releases.items() if r.sources]
    if with_source:
        shown = here if here.sources else releases[max(with_source)]
        return _shown_by("source", shown.sources[0])
    return Availability(state="none", listed=page.listed)


def newest(page: Page) -> Version | None:
    """The newest release of a project, or pre-release where it has nothing else."""
    known = versions(page)
    return max((v for v in known if not v.is_prerelease), default=max(known, default=None))


def versions(page: Page) -> set[Version]:
    """The versions that a project has files of, yanked ones left out."""
    return {v for v, files in page.releases.items() if not all(file.yanked for file in files)}


@cache
def accepted_tags(python: str) -> Mapping[Tag, int]:
    """The wheel tags that a free-threaded ``python`` (as `3.14`) takes, with their rank from 0."""
    version = tuple(int(part) for part in python.split("."))
    name = f"cp{''.join(python.split('.'))}"
    tags = [
        *cpython_tags(version, [f"{name}t"], _platforms()),
        *compatible_tags(version, name, _platforms()),
    ]
    return {tag: rank for rank, tag in enumerate(tags)}


def _platforms() -> list[str]:
    """The platform tags of PLATFORM, those of the newest C library first."""
    machine, _, libc = PLATFORM.partition("-manylinux_2_")
    older = {17: "2014", 12: "2010", 5: "1"}
    names = []
    for minor in range(int(libc), 4, -1):
        names.append(f"manylinux_2_{minor}_{machine}")
        if minor in older:
            names.append(f"manylinux{older[minor]}_{machine}")
    return [*names, f"linux_{machine}"]


def _release(files: Sequence[IndexFile], python: str) -> _Release:
    """The files of a version, less those that say that they are for other Pythons."""
    accepted, platforms = accepted_tags(python), {"any", *_platforms()}
    admitted = [file for file in files if file.admits(python)]
    found = _Release(pulled=all(file.yanked for file in admitted))
    for file in admitted:
        if file.kind == "sdist":
            found.sources.append(file)
        tags = file.tags
        rank, tag = min(
            ((accepted[tag], tag) for tag in tags if tag in accepted),
            key=lambda one: one[0],
            default=(None, None),
        )
        if rank is not None and tag is not None:
            found.taken.append((rank, file, tag))
        elif any(tag.platform in platforms for tag in tags):
            found.others.append((file, tags))
    return found


def _abis(wheels: Iterable[frozenset[Tag]]) -> tuple[str, ...]:
    """The ABIs of wheels, those of one Python after those of all, the oldest first."""
    abis = {tag.abi for tags in wheels for tag in tags if tag.abi != "none"}
    return tuple(sorted(abis, key=lambda abi: (abi != "abi3", len(abi), abi)))


def _shown_by(state: State, file: IndexFile) -> Availability:
    return Availability(state=state, listed=True, file=file.name, uploaded=file.uploaded)


def _offer(version: Version | None, releases: Mapping[Version, _Release]) -> Offer | None:
    if version is None:
        return None
    taken: Sequence[tuple[int, IndexFile, Tag]] = releases[version].taken
    _, file, _ = min(taken, key=lambda one: one[0])
    return Offer(version=str(version), file=file.name, uploaded=file.uploaded)
