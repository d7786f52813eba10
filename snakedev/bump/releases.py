"""The releases of a project that a pin can move to, as a package index lists them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from packaging.version import Version

from snakedev.base.errors import UserError
from snakedev.fetch.index_pages import IndexFile, Page, as_version
from snakedev.reports.bump.record import PassedOver


@dataclass(frozen=True)
class Release:
    """A source distribution that an index serves."""

    version: Version
    name: str
    """The file's."""
    sha256: str
    uploaded: datetime | None


def newer(
    project: str, page: Page, current: str, python: str
) -> tuple[list[Release], list[PassedOver]]:
    """A project's releases after ``current`` that a ``python`` (as `3.14`) admits, the oldest
    first; and those that are passed over, with the reason.

    A pre-release counts where the pin is one. Raises UserError for a version that none can be newer
    than.
    """
    if not page.listed:
        raise UserError(f"{project}: the package index has no such project")
    pinned = as_version(current)
    if pinned is None:
        raise UserError(f"{project}: its version {current} is none that releases can be newer than")
    found, passed = [], []
    for version, files in page.releases.items():
        if version <= pinned:
            continue
        answer = _judged(version, files, python, prereleases=pinned.is_prerelease)
        if isinstance(answer, Release):
            found.append(answer)
        else:
            passed.append(PassedOver(version=str(version), why=answer))
    return found, passed


def release_of(project: str, page: Page, version: str, python: str) -> Release:
    """One release that was asked for; raises UserError where the index cannot give it."""
    there = page.of(version)
    if not there:
        newest = max(page.releases, default=None)
        known = f"its newest is {newest}" if newest else "it has none"
        raise UserError(f"bump.{project}: the package index has no release {version}: {known}")
    answer = _judged(Version(version), there, python, prereleases=True)
    if isinstance(answer, str):
        raise UserError(f"bump.{project}: {version}: {answer}")
    return answer


def _judged(
    version: Version, files: Sequence[IndexFile], python: str, *, prereleases: bool
) -> Release | str:
    """A release, or why it is none to move to."""
    if version.is_prerelease and not prereleases:
        return "it is a pre-release"
    standing = [file for file in files if not file.yanked]
    if not standing:
        return "it was yanked"
    sources = [file for file in standing if file.kind == "sdist" and file.sha256]
    if not sources:
        return "it has no source distribution whose sha256 the index says"
    source = sources[0]
    if not source.admits(python):
        return f"it asks for Python {source.requires_python}"
    assert source.sha256 is not None
    return Release(version, source.name, source.sha256, source.uploaded)
