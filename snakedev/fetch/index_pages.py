"""What the package index says of projects: asked politely, and kept for when it is not asked.

Answers lie in results/cache/index. One that the index still vouches for is not asked for again;
another is asked for with its ETag or date, where the index gave one, so that what has not changed
is not sent again.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache, cached_property, partial
from http import HTTPStatus
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from pypi_simple import (
    ACCEPT_JSON_PREFERRED,
    PYPI_SIMPLE_ENDPOINT,
    DistributionPackage,
    ProjectPage,
    PyPISimple,
)
from requests_cache import AnyResponse, CachedSession

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.fetch.download import ask_index
from snakedev.fetch.indexes import TORCH_PACKAGES, ca_bundle, index_url, public_address

_AT_ONCE = 4
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A file of a project."""

    name: str
    version: str | None
    """As its name has it; None where that cannot be read."""
    kind: str | None
    """`wheel`, `sdist` or an older kind of package; None where it is none."""
    requires_python: str | None
    yanked: bool
    uploaded: datetime | None
    """When it came to the index, where the index says so."""
    sha256: str | None = None
    """Where the index says so."""

    @property
    def release(self) -> Version | None:
        """The release that it is of; None where its name says no version that is one."""
        return as_version(self.version)

    @property
    def tags(self) -> frozenset[Tag]:
        """The tags of a wheel; none of another file, or one whose name says none."""
        try:
            return parse_wheel_filename(self.name)[3] if self.kind == "wheel" else frozenset()
        except InvalidWheelFilename:
            return frozenset()

    def admits(self, python: str) -> bool:
        """Whether it says that it is for a Python, as `3.14`."""
        try:
            return SpecifierSet(self.requires_python or "").contains(f"{python}.0")
        except InvalidSpecifier:
            return True  # as pip has it


@cache
def as_version(text: str | None) -> Version | None:
    """A text as a version; None for one that is none."""
    try:
        return Version(text) if text else None
    except InvalidVersion:
        return None


@dataclass(frozen=True)
class Page:
    """A project's files."""

    files: tuple[IndexFile, ...]
    """None of them where no index has such a project."""
    listed: bool
    """Whether an index has it."""
    asked: datetime
    """When the index last gave this answer, or said that it stands; the oldest of several."""

    @cached_property
    def releases(self) -> Mapping[Version, Sequence[IndexFile]]:
        """Its files by release, the oldest first, yanked ones among them; those whose name says no
        version are left out."""
        found: dict[Version, list[IndexFile]] = {}
        for file in self.files:
            if (version := file.release) is not None:
                found.setdefault(version, []).append(file)
        return dict(sorted(found.items()))

    def of(self, version: Version | str | None) -> Sequence[IndexFile]:
        """The files of one release; none of a text that is no version."""
        wanted = version if isinstance(version, Version) else as_version(version)
        return self.releases.get(wanted, ()) if wanted else ()


class PackageIndex:
    """The index that pip and uv are set to, and the one for torch where there is another.

    ``cache`` is the folder of kept answers. ``offline`` answers from them alone. ``torch_index`` is
    asked for torch's packages too. An answer is ``fresh`` for that long, unless the index itself
    says for how long it vouches for it.
    """

    def __init__(
        self,
        cache: Path,
        running: Job,
        *,
        offline: bool,
        torch_index: str | None = None,
        fresh: timedelta = timedelta(minutes=10),
    ):
        cache.mkdir(parents=True, exist_ok=True)
        self._running, self._offline = running, offline
        self._pages: dict[str, Page] = {}
        usual = _client(cache, index_url(), offline, fresh)
        torch = [_client(cache, torch_index, offline, fresh)] if torch_index else []
        self._usual, self._torch = (usual,), (usual, *torch)

    def pages(self, names: Iterable[str]) -> dict[str, Page]:
        """The pages of projects by canonical name, a few asked for at once.

        Raises UserError when the index does not answer; offline, when nothing was kept.
        """
        wanted = sorted({canonicalize_name(name) for name in names})
        new = [name for name in wanted if name not in self._pages]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            try:
                for number, page in enumerate(pool.map(self._page, new), 1):
                    self._pages[new[number - 1]] = page
                    self._running.status(f"{number} of {len(new)} packages looked up")
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return {name: self._pages[name] for name in wanted}

    def _page(self, name: str) -> Page:
        clients = self._torch if name in TORCH_PACKAGES else self._usual
        answers = [
            ask_index(f"the page of {name}", self._running, partial(self._ask, client, name))
            for client in clients
        ]
        return Page(
            files=tuple(file for files, _ in answers for file in files or ()),
            listed=any(files is not None for files, _ in answers),
            asked=min(asked for _, asked in answers),
        )

    def _ask(self, client: PyPISimple, name: str) -> tuple[list[IndexFile] | None, datetime]:
        """A project's files on one index and when it told them; None where it has none."""
        response = cast(
            AnyResponse,
            client.s.get(
                client.get_project_url(name),
                headers={"Accept": client.accept},
                timeout=_TIMEOUT_SECONDS,
            ),
        )
        if self._offline and response.status_code == HTTPStatus.GATEWAY_TIMEOUT:
            # what stands for an answer that was never kept
            raise UserError(
                f"compat_report.offline: results/cache/index has nothing of {name}: set it to "
                "false for one run with a network"
            )
        asked = _asked(response)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None, asked
        response.raise_for_status()
        return [_file(one) for one in ProjectPage.from_response(response, name).packages], asked


def _asked(response: AnyResponse) -> datetime:
    """When the index gave an answer, or last said that it had not changed."""
    if date := response.headers.get("Date"):
        return parsedate_to_datetime(date)
    return response.created_at.replace(tzinfo=response.created_at.tzinfo or UTC)


def _file(package: DistributionPackage) -> IndexFile:
    return IndexFile(
        name=package.filename,
        version=package.version,
        kind=package.package_type,
        requires_python=package.requires_python,
        yanked=package.is_yanked,
        uploaded=package.upload_time,
        sha256=package.digests.get("sha256"),
    )


def _client(cache: Path, url: str | None, offline: bool, fresh: timedelta) -> PyPISimple:
    """A client whose answers are kept; None is the public index."""
    endpoint = url or PYPI_SIMPLE_ENDPOINT
    session = CachedSession(
        str(cache / "pages.sqlite"),
        allowable_codes=(HTTPStatus.OK, HTTPStatus.NOT_FOUND),
        cache_control=True,
        expire_after=fresh,
        only_if_cached=offline,
        stale_if_error=offline,
    )
    if offline:
        session.adapters.clear()
    session.verify = ca_bundle() or True
    # kept answers name the address: it must not hold a password
    parts = urlsplit(endpoint)
    if parts.username is not None:
        session.auth = (unquote(parts.username), unquote(parts.password or ""))
    return PyPISimple(public_address(endpoint), session=session, accept=ACCEPT_JSON_PREFERRED)
