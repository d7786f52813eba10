"""Downloads from package registries, pinned by sha256 and picked up where they broke off."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import requests
from packaging.utils import canonicalize_name, canonicalize_version
from pypi_simple import (
    ACCEPT_JSON_PREFERRED,
    PYPI_SIMPLE_ENDPOINT,
    DistributionPackage,
    NoSuchProjectError,
    ProjectPage,
    PyPISimple,
    UnsupportedContentTypeError,
)
from urllib3.exceptions import HTTPError

from snakedev.base.digests import file_sha256
from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.records import Record
from snakedev.base.retry import retried
from snakedev.config.model import Config
from snakedev.config.repos import GitPin, ReleasePin
from snakedev.fetch.debian import DebianPackages
from snakedev.fetch.indexes import extra_indexes, found_links, index_url, public_address
from snakedev.fetch.session import may_pass, reason, session
from snakedev.store.layout import Layout

_Result = TypeVar("_Result")
_TRIES = 5
_TIMEOUT_SECONDS = 60
_CHUNK_BYTES = 1 << 20


class DownloadRecord(Record):
    """Where a downloaded archive lies."""

    archive: Path


def fetch_release(pin: ReleasePin, folder: Path, mirror: str | None, running: Job) -> Path:
    """The archive of a release pin in ``folder``, downloaded where it is not there yet.

    Raises UserError when no registry has it, or what it has is not what was pinned.
    """
    if pin.kind == "debian":
        assert pin.suite is not None
        return DebianPackages(folder / "debian", running, mirror).source_archive(
            pin.name, pin.version, pin.suite, pin.sha256
        )
    return _fetch(pin.name, pin.version, pin.sha256, folder, pin.kind, running)


def fetch_pin(pin: ReleasePin, config: Config, running: Job) -> Path:
    """The archive of a release, where a configuration keeps downloads; raises as fetch_release."""
    mirror = config.registries.debian
    return fetch_release(pin, Layout.of(config).downloads, str(mirror) if mirror else None, running)


def fetched_release(
    record: Path, pin: GitPin | ReleasePin, config: Config, running: Job
) -> Path | None:
    """The archive that a download job has left a record of, fetched once more where it is damaged.

    None for a pin of git, whose commit is in a mirror. Raises UserError as fetch_release.
    """
    if isinstance(pin, GitPin):
        return None
    archive = DownloadRecord.read(record).archive
    if archive.is_file() and file_sha256(archive) == pin.sha256:
        return archive
    running.say(f"{archive} is damaged or gone: fetching it once more")
    archive.unlink(missing_ok=True)
    return fetch_pin(pin, config, running)


def fetch_wheel(name: str, version: str, sha256: str, folder: Path, running: Job) -> Path:
    """A wheel in ``folder``, downloaded where it is not there yet; raises as fetch_release."""
    return _fetch(name, version, sha256, folder, "wheel", running)


@dataclass(frozen=True)
class _Offer:
    """A file that may be the pinned one: its name, its place, its sha256 where that is said."""

    name: str
    url: str
    sha256: str | None


def _fetch(name: str, version: str, sha256: str, folder: Path, kind: str, running: Job) -> Path:
    known = folder / sha256
    for path in known.glob("*"):
        if path.suffix != ".part" and file_sha256(path) == sha256:
            running.note(f"{path.name} is there already")
            return path
    what = f"{name} {version} ({kind})"
    indexes = [index_url() or PYPI_SIMPLE_ENDPOINT, *extra_indexes()]
    with session(indexes) as asking:
        offers = _offers(name, version, kind, sha256, indexes, asking, running)
        known.mkdir(parents=True, exist_ok=True)
        refused = []
        for offer in offers:
            final = known / offer.name
            found = _transferred(what, offer, final, sha256, asking, running)
            if found == sha256:
                return final
            refused.append(f"{offer.name}: its sha256 is {found}, pinned is {sha256}")
    raise UserError("; ".join(refused))


def _transferred(
    what: str, offer: _Offer, final: Path, sha256: str, asking: requests.Session, running: Job
) -> str:
    """Fetch a file to where it belongs, if it is the pinned one; returns its sha256."""
    part = final.with_name(final.name + ".part")
    running.say(f"downloading {offer.name}")
    left_behind = part.is_file()
    ask_index(what, running, lambda: _transfer(offer.url, part, asking, running))
    found = file_sha256(part)
    if found != sha256 and left_behind:
        running.say(f"what an earlier run has left of {offer.name} does not fit: once more")
        part.unlink()
        ask_index(what, running, lambda: _transfer(offer.url, part, asking, running))
        found = file_sha256(part)
    if found == sha256:
        part.rename(final)
    else:
        part.unlink()
    return found


def _offers(
    name: str,
    version: str,
    kind: str,
    sha256: str,
    indexes: list[str],
    asking: requests.Session,
    running: Job,
) -> list[_Offer]:
    """The file that has the pinned sha256 by an index's word, else those that may have it.

    An index that does not answer is no reason to fail where another has the file.
    """
    silent: UserError | None = None
    listed, offers = False, []
    for page in [*map(partial(_page, name, asking), indexes), *_linked_pages(name, asking)]:
        try:
            packages = ask_index(f"{name} {version} ({kind})", running, page)
        except UserError as error:
            silent = silent or error
            continue
        listed = listed or packages is not None
        offers += [
            _Offer(unquote(one.filename), one.url, one.digests.get("sha256"))
            for one in packages or ()
            if one.package_type == kind and _same_version(one.version, version)
        ]
        if named := [offer for offer in offers if offer.sha256 == sha256]:
            return named[:1]
    if possible := [offer for offer in offers if offer.sha256 is None]:
        return possible
    if silent is not None:
        raise silent
    if not listed:
        raise UserError(f"{name}: the package index has no such project")
    digests = ", ".join(offer.sha256 or "" for offer in offers)
    raise UserError(
        f"{canonicalize_name(name)} {version}: the package index has no {kind} with the pinned "
        f"sha256 {sha256}; it has {digests or f'no {kind} of this version'}"
    )


_Page = Callable[[], list[DistributionPackage] | None]


def _page(name: str, asking: requests.Session, index: str) -> _Page:
    """Asks for a project's files on an index; None where it has no such project."""

    def ask() -> list[DistributionPackage] | None:
        # not closed: the session is used for what follows
        client = PyPISimple(public_address(index), session=asking, accept=ACCEPT_JSON_PREFERRED)
        try:
            return client.get_project_page(name, timeout=_TIMEOUT_SECONDS).packages
        except NoSuchProjectError:
            return None

    return ask


def _linked_pages(name: str, asking: requests.Session) -> Iterator[_Page]:
    """Asks for a project's files in the folders and on the pages that are looked at besides."""
    for place in found_links():
        if place.startswith(("http://", "https://")):
            yield partial(_links, name, asking, place)
        else:
            folder = Path(place.removeprefix("file://")).expanduser()
            yield partial(_in_folder, name, folder)


def _links(name: str, asking: requests.Session, url: str) -> list[DistributionPackage] | None:
    response = asking.get(url, timeout=_TIMEOUT_SECONDS)
    response.raise_for_status()
    packages = ProjectPage.from_html(name, response.text, response.url).packages
    return _of_project(packages, name)


def _in_folder(name: str, folder: Path) -> list[DistributionPackage] | None:
    links = "".join(f'<a href="{path.name}">{path.name}</a>' for path in folder.glob("*.*"))
    packages = ProjectPage.from_html(name, links, f"{folder.absolute().as_uri()}/").packages
    return _of_project(packages, name)


def _of_project(packages: list[DistributionPackage], name: str) -> list[DistributionPackage] | None:
    wanted = canonicalize_name(name)
    found = [one for one in packages if one.project and canonicalize_name(one.project) == wanted]
    return found or None


def _same_version(one: str | None, other: str) -> bool:
    return one is not None and canonicalize_version(one) == canonicalize_version(other)


def _transfer(url: str, part: Path, asking: requests.Session, running: Job) -> None:
    """Fetch a file, going on behind what an interrupted transfer has left."""
    if url.startswith("file://"):
        shutil.copyfile(unquote(urlsplit(url).path), part)
        return
    done = part.stat().st_size if part.is_file() else 0
    # as the file is: some servers call an archive's own compression an encoding of the transfer
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with asking.get(url, headers=headers, timeout=_TIMEOUT_SECONDS, stream=True) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # there is nothing behind what is there: the digest decides
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        if resumed:
            running.say(f"going on after {done / 1e6:.0f} MB")
        left = response.headers.get("Content-Length")
        total = int(left) + (done if resumed else 0) if left else None
        with part.open("ab" if resumed else "wb") as file, running.telling_size(part, total):
            for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=False):
                file.write(chunk)


def ask_index(what: str, running: Job, request: Callable[[], _Result]) -> _Result:
    """Ask a package index for something, again where it does not answer.

    ``what`` names it in the lines about it. Raises UserError when the last try fails, too, and at
    once where it refuses or cannot be asked at all.
    """
    try:
        return retried(
            request,
            running,
            tries=_TRIES,
            may_pass=may_pass,
            told=lambda error: f"{what}: {reason(error)}",
        )
    except (OSError, HTTPError, ValueError, UnsupportedContentTypeError) as error:
        how = f"did not answer after {_TRIES} tries" if may_pass(error) else "did not give it"
        raise UserError(
            f"{what}: the package index {how} ({reason(error)}): check the network and the index "
            "that pip or uv are set to"
        ) from None
