"""A store that machines reach by the network: wheels and smoke results, in a bucket or a folder.

An artifact is a list of files, `<shelf>/<place>/<key>.json`, that names each by the sha256 under
which it lies in `sha256/`. The list is put last and never written over: an upload that was cut off
is no artifact, and of two that put one key the first counts, whole.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path, PurePath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from snakedev.base.digests import file_sha256
from snakedev.base.records import Record
from snakedev.store.publish import published
from snakedev.store.spec import Spec

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

_RETRIES: "RetryConfig" = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}
# nothing of a wheel takes longer, and one that does not answer must not hold a run
_LIMITS: "ClientConfig" = {
    "connect_timeout": timedelta(seconds=5),
    "timeout": timedelta(minutes=10),
}
_ALLOW_HTTP = ("AWS_ALLOW_HTTP", "AZURE_ALLOW_HTTP", "GOOGLE_ALLOW_HTTP")


class StoredFile(Record):
    """A file of an artifact."""

    name: str
    sha256: str
    size: int


class Listing(Record):
    """What an artifact is: its files."""

    key: str
    files: tuple[StoredFile, ...]


class RemoteStore:
    """The store at a URL. Whatever goes wrong with it is a warning, and something to build."""

    def __init__(self, url: str, *, write: bool, used: Callable[[], bool]):
        """``write``: whether to put there what is made here; ``used``: whether this is a run that
        makes something, since one that only looks asks no network.

        Credentials are those that the cloud's own tools read from the environment.
        """
        self._url, self._write, self._used = url, write, used
        self._opened: ObjectStore | None = None
        self._asked: set[Path] = set()
        self._answers = True

    def take(self, spec: Spec, folder: Path) -> bool:
        """Have an artifact at ``folder`` if the store has it and each file is what it should be."""
        if not self._shares(spec) or folder in self._asked:
            return False
        self._asked.add(folder)
        name = f"{spec.kind} {spec.place} {spec.key}"
        try:
            listing = Listing.model_validate_json(self._read(_place(spec)))
            _require(spec, listing)
            with published(folder) as scratch:
                for file in listing.files:
                    self._fetch(file, scratch / file.name)
                _require_recorded(scratch / spec.record_name)
        except FileNotFoundError:
            return False
        except ValueError as error:
            self._warn(f"{name} there is not whole ({_first_line(error)}): it is made here")
            return False
        except (BaseError, OSError) as error:
            self._give_up(error)
            return False
        size = sum(file.size for file in listing.files)
        print(f"{name}: taken from {self._url} ({size / 1e6:.1f} MB)", file=sys.stderr)
        return True

    def offer(self, spec: Spec, folder: Path) -> None:
        """Put an artifact that stands at ``folder`` into the store, unless it is there.

        One whose build saw real paths or the network stays here: it may hold something of both.
        """
        if not (self._write and self._shares(spec) and (folder / spec.record_name).is_file()):
            return
        try:
            record = json.loads((folder / spec.record_name).read_bytes())
            if record.get("paths", "fixed") != "fixed" or record.get("network", "none") != "none":
                return
            try:
                obstore.head(self._store(), _place(spec))
                return
            except FileNotFoundError:
                pass
            _require_recorded(folder / spec.record_name)
            listing = Listing(key=spec.key, files=tuple(map(_stored, sorted(folder.iterdir()))))
            for file in listing.files:
                obstore.put(self._store(), _blob(file), folder / file.name)
            text = listing.model_dump_json(indent=2).encode()
            obstore.put(self._store(), _place(spec), text, mode="create")
        except AlreadyExistsError:
            return
        except (BaseError, OSError, ValueError) as error:
            self._give_up(error)
            return
        print(f"{spec.kind} {spec.place} {spec.key}: put into {self._url}", file=sys.stderr)

    def _shares(self, spec: Spec) -> bool:
        return spec.remote and not spec.from_work and self._answers and self._used()

    def _store(self) -> ObjectStore:
        if self._opened is None:
            parts = urlsplit(self._url)
            if parts.scheme == "file":
                self._opened = LocalStore(parts.path, mkdir=self._write)
            else:
                allowed = any(os.environ.get(name) for name in _ALLOW_HTTP)
                self._opened = from_url(
                    self._url,
                    retry_config=_RETRIES,
                    client_options={**_LIMITS, "allow_http": allowed},
                )
        return self._opened

    def _read(self, path: str) -> bytes:
        return bytes(obstore.get(self._store(), path).bytes())

    def _fetch(self, file: StoredFile, to: Path) -> None:
        """Download a file; raises ValueError where it is not the one that it should be."""
        sha256, size = hashlib.sha256(), 0
        with to.open("wb") as out:
            try:
                chunks: Iterator[bytes] = iter(obstore.get(self._store(), _blob(file)))
            except FileNotFoundError:
                raise ValueError(f"{file.name} is missing") from None
            for chunk in chunks:
                size += len(chunk)
                if size > file.size:
                    break
                sha256.update(chunk)
                out.write(chunk)
        if (size, sha256.hexdigest()) != (file.size, file.sha256):
            raise ValueError(f"{file.name} has another sha256 than it should")

    def _give_up(self, error: Exception) -> None:
        """Ask no more in this run."""
        self._answers = False
        self._warn(f"{_first_line(error)}: this run does without it")

    def _warn(self, line: str) -> None:
        print(f"warning: store_remote {self._url}: {line}", file=sys.stderr)


def _place(spec: Spec) -> str:
    return f"{spec.folder(spec.place, spec.key)}.json"


def _blob(file: StoredFile) -> str:
    return f"sha256/{file.sha256}"


def _stored(path: Path) -> StoredFile:
    return StoredFile(name=path.name, sha256=file_sha256(path), size=path.stat().st_size)


def _require(spec: Spec, listing: Listing) -> None:
    """Raise ValueError for a list that is another artifact's, or names what is no plain file."""
    names = [file.name for file in listing.files]
    if listing.key != spec.key:
        raise ValueError(f"it is of the key {listing.key}")
    if spec.record_name not in names:
        raise ValueError(f"{spec.record_name} is missing")
    for name in names:
        if PurePath(name).name != name or name in (".", ".."):
            raise ValueError(f"{name!r} is no file's name")


def _require_recorded(record: Path) -> None:
    """Raise ValueError where a file is not the one that the artifact's record is about."""
    known = json.loads(record.read_bytes())
    if "sha256" in known and file_sha256(record.parent / known["file"]) != known["sha256"]:
        raise ValueError(f"{known['file']} is not what {record.name} says")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
