"""Downloads from package registries, pinned by sha256 and picked up where they broke off."""

import hashlib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx
from packaging.utils import canonicalize_name
from pypi_simple import ACCEPT_JSON_PREFERRED, PYPI_SIMPLE_ENDPOINT, DistributionPackage, PyPISimple

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.records import Record
from snakedev.base.retry import retried
from snakedev.config.model import Config
from snakedev.config.repos import ReleasePin
from snakedev.fetch.debian import DebianPackages
from snakedev.fetch.indexes import ca_bundle, index_url
from snakedev.store.layout import Layout

_Result = TypeVar("_Result")
_TRIES = 5
_TIMEOUT_SECONDS = 60
_CHUNK_BYTES = 1 << 20
_NO_ANSWER = (httpx.HTTPError, OSError)


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


def fetched_release(record: Path, pin: ReleasePin, config: Config, running: Job) -> Path:
    """The archive that a download job has left a record of, fetched once more where it is damaged.

    Raises UserError as fetch_release.
    """
    archive = DownloadRecord.read(record).archive
    if archive.is_file() and _sha256(archive) == pin.sha256:
        return archive
    running.say(f"{archive} is damaged or gone: fetching it once more")
    archive.unlink(missing_ok=True)
    mirror = config.registries.debian
    folder = Layout.of(config).downloads
    return fetch_release(pin, folder, str(mirror) if mirror else None, running)


def fetch_wheel(name: str, version: str, sha256: str, folder: Path, running: Job) -> Path:
    """A wheel in ``folder``, downloaded where it is not there yet; raises as fetch_release."""
    return _fetch(name, version, sha256, folder, "wheel", running)


def _fetch(name: str, version: str, sha256: str, folder: Path, kind: str, running: Job) -> Path:
    known = folder / sha256
    for path in known.glob("*"):
        if path.suffix != ".part" and _sha256(path) == sha256:
            running.note(f"{path.name} is there already")
            return path
    what = f"{name} {version} ({kind})"
    package = ask_index(what, running, lambda: _find(name, version, sha256, kind))
    final = known / package.filename
    known.mkdir(parents=True, exist_ok=True)
    part = final.with_name(final.name + ".part")
    running.say(f"downloading {package.filename}")
    left_behind = part.is_file()
    ask_index(what, running, lambda: _transfer(package.url, part, running))
    found = _sha256(part)
    if found != sha256 and left_behind:
        running.say(f"what an earlier run has left of {package.filename} does not fit: once more")
        part.unlink()
        ask_index(what, running, lambda: _transfer(package.url, part, running))
        found = _sha256(part)
    if found != sha256:
        part.unlink()
        raise UserError(f"{package.filename}: its sha256 is {found}, pinned is {sha256}")
    part.rename(final)
    return final


def _find(name: str, version: str, sha256: str, kind: str) -> DistributionPackage:
    endpoint = index_url() or PYPI_SIMPLE_ENDPOINT
    with PyPISimple(endpoint, accept=ACCEPT_JSON_PREFERRED) as client:
        if bundle := ca_bundle():
            client.s.verify = bundle
        try:
            page = client.get_project_page(name, timeout=_TIMEOUT_SECONDS)
        except Exception as error:
            if type(error).__name__ == "NoSuchProjectError":
                raise UserError(f"{name}: the package index has no such project") from None
            raise ConnectionError(str(error)) from error
    released = [
        package
        for package in page.packages
        if package.version == version and package.package_type == kind
    ]
    for package in released:
        if package.digests.get("sha256") == sha256:
            return package
    digests = ", ".join(p.digests.get("sha256", "no digest") for p in released)
    raise UserError(
        f"{canonicalize_name(name)} {version}: the package index has no {kind} with the pinned "
        f"sha256 {sha256}; it has {digests or f'no {kind} of this version'}"
    )


def _transfer(url: str, part: Path, running: Job) -> None:
    """Fetch a file, going on behind what an interrupted transfer has left."""
    done = part.stat().st_size if part.is_file() else 0
    # as the file is: some servers call an archive's own compression an encoding of the transfer
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    context = ssl.create_default_context(cafile=ca_bundle())
    with httpx.stream(
        "GET", url, headers=headers, follow_redirects=True, timeout=_TIMEOUT_SECONDS, verify=context
    ) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # there is nothing behind what is there: the digest decides
        response.raise_for_status()
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
        if resumed:
            running.say(f"going on after {done / 1e6:.0f} MB")
        left = response.headers.get("Content-Length")
        total = int(left) + (done if resumed else 0) if left else None
        with part.open("ab" if resumed else "wb") as file, running.telling_size(part, total):
            for chunk in response.iter_raw(_CHUNK_BYTES):
                file.write(chunk)


def ask_index(what: str, running: Job, request: Callable[[], _Result]) -> _Result:
    """Ask a package index for something, again where it does not answer.

    ``what`` names it in the lines about it. Raises UserError when the last try fails, too.
    """
    try:
        return retried(
            request,
            running,
            tries=_TRIES,
            may_pass=lambda error: isinstance(error, _NO_ANSWER),
            told=lambda error: f"{what}: {_reason(error)}",
        )
    except _NO_ANSWER as error:
        raise UserError(
            f"{what}: the package index did not answer after {_TRIES} tries "
            f"({_reason(error)}): check the network and the index that pip or uv are set to"
        ) from None


def _reason(error: BaseException) -> str:
    """A network failure in few words; an address may hold a password, so none is repeated."""
    cause = error.__cause__ or error
    response = getattr(cause, "response", None)  # of httpx and of requests
    return type(cause).__name__ if response is None else f"HTTP status {response.status_code}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
