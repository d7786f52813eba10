"""Where a pin is moved: the newest release that can run here, or what was asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from packaging.version import Version

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.bump.releases import Release, newer, release_of
from snakedev.bump.upstream import Upstream, commit_laid_out, lacking_torch, release_laid_out
from snakedev.config.fields import NEWEST
from snakedev.config.model import Config
from snakedev.fetch.index_pages import PackageIndex, as_version
from snakedev.reports.bump.record import PassedOver
from snakedev.store.layout import Layout

_COMMIT_DIGITS = 40


@dataclass(frozen=True)
class Places:
    """What a move needs to know of where things are."""

    config: Config
    layout: Layout
    index: PackageIndex
    running: Job


@dataclass(frozen=True)
class Target:
    """Where a pin goes."""

    upstream: Upstream
    on_the_way: tuple[Release, ...]
    """The releases between, the oldest first."""


@contextmanager
def chosen(
    places: Places, repo: str, wanted: str
) -> Iterator[tuple[Target | None, list[PassedOver]]]:
    """Where a repo's pin is moved, laid out while the block runs, and what is passed over.

    None where nothing is newer. Raises UserError for what was asked for and cannot be had.
    """
    config, running = places.config, places.running
    entry, python = config.repos[repo], config.interpreter.version
    if entry.release is None or not (wanted == NEWEST or is_version(wanted)):
        with commit_laid_out(config, repo, wanted, places.layout, running) as upstream:
            same = entry.git is not None and upstream.commit == entry.git.commit
            yield (None if same else Target(upstream, ())), []
        return
    running.say(f"looking up releases of {entry.release.name}")
    page = places.index.pages([entry.release.name])[entry.release.name]
    releases, passed = newer(repo, page, entry.version, python)
    if wanted != NEWEST:
        release = release_of(repo, page, wanted, python)
        with release_laid_out(config, repo, release, places.layout, running) as upstream:
            if why := _lacking(places, upstream):
                raise UserError(f"bump.{repo}: {wanted}: {why}")
            between = tuple(one for one in releases if one.version < release.version)
            known = release.sha256 == entry.release.sha256
            yield (None if known else Target(upstream, between)), []
        return
    for number in reversed(range(len(releases))):
        release = releases[number]
        with release_laid_out(config, repo, release, places.layout, running) as upstream:
            why = _lacking(places, upstream)
            if why is None:
                later = [one for one in passed if Version(one.version) > release.version]
                yield Target(upstream, tuple(releases[:number])), later
                return
        passed.append(PassedOver(version=str(release.version), why=why))
    yield None, sorted(passed, key=lambda one: Version(one.version))


def _lacking(places: Places, upstream: Upstream) -> str | None:
    """Why a release cannot run here, if it is one of which that is known."""
    if upstream.facts is None:
        return None
    return lacking_torch(upstream.facts, places.config, places.index)


def is_version(text: str) -> bool:
    """Whether a text is a release's version; a tag such as v1.0 is none."""
    return as_version(text) is not None and text[0].isdigit() and len(text) < _COMMIT_DIGITS
