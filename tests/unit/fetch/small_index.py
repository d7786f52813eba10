"""A package index on loopback that breaks off, refuses and lies like real ones."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from snakedev.config.repos import ReleasePin
from tests.unit.serving import serving

# more than the client writes at once, so that a broken transfer leaves something behind
SDIST = bytes(range(256)) * 16_384
SHA256 = hashlib.sha256(SDIST).hexdigest()
NAME = "tiny-1.0.tar.gz"
PIN = ReleasePin(name="tiny", version="1.0", sha256=SHA256)


class SmallIndex:
    """An index of one project; counts what is asked of it, and can refuse or break off."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {NAME: SDIST}
        self.digests: dict[str, str] = {}
        """What the page claims of a file, where that is not the truth."""
        self.page_failures: list[int] = []
        self.file_failures: list[int] = []
        """Statuses that the next requests are answered with."""
        self.cut_after: list[int] = []
        """Bytes after which the next transfers break off."""
        self.ranges = True
        self.calls_gzip_an_encoding = False
        """Whether archives are labelled as some servers label each file whose name ends in .gz."""
        self.credentials: str | None = None
        """`NAME:PASSWORD` that every request must bring."""
        self.digest: str | None = "sha256"
        """The kind of digest that the page has, if any."""
        self.absolute = False
        """Whether the page's links are absolute, as those of many private indexes are."""
        self.status_of_refusal = 401
        self.links = ""
        """A page with links to files."""
        self.asked: list[tuple[str, str | None]] = []
        """Each request's path and Range header."""
        self.address = ""

    @property
    def transfers(self) -> list[str | None]:
        """The Range headers of all requests for files."""
        return [asked for path, asked in self.asked if path.startswith("/files/")]

    @contextmanager
    def served(self) -> Iterator[None]:
        """Answer on a free port while the block runs."""
        with serving(self._handler()) as address:
            self.address = f"{address}/simple/"
            yield

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        index = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                index.asked.append((self.path, self.headers.get("Range")))
                if index.credentials:
                    due = base64.b64encode(index.credentials.encode()).decode()
                    if self.headers.get("Authorization") != f"Basic {due}":
                        return self.reply(index.status_of_refusal)
                if self.path == "/simple/tiny/":
                    status = index.page_failures.pop(0) if index.page_failures else 200
                    return self.reply(status, index.page(), "application/vnd.pypi.simple.v1+json")
                if self.path == "/simple/links.html":
                    return self.reply(200, index.links.encode(), "text/html")
                name = self.path.removeprefix("/files/")
                if name not in index.files:
                    return self.reply(404)
                if index.file_failures:
                    return self.reply(index.file_failures.pop(0))
                return self.transfer(index.files[name])

            def transfer(self, data: bytes) -> None:
                asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
                start = int(asked[1]) if asked and index.ranges else 0
                if start >= len(data):
                    self.reply(416)
                    return
                sent = data[start:]
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(sent)))
                if index.calls_gzip_an_encoding:
                    self.send_header("Content-Encoding", "gzip")
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
                self.end_headers()
                end = index.cut_after.pop(0) if index.cut_after else len(sent)
                self.wfile.write(sent[:end])
                self.close_connection = end < len(sent)

            def reply(self, status: int, body: bytes = b"", kind: str = "text/plain") -> None:
                body = body if status == 200 else b""
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler

    def page(self) -> bytes:
        """The project's page in the JSON form of the simple API."""
        start = f"http://{self.address.split('/')[0]}" if self.absolute else "../.."
        files = [
            {
                "filename": name,
                "url": f"{start}/files/{name}",
                "hashes": self.hashes(name, data),
            }
            for name, data in self.files.items()
        ]
        meta = {"api-version": "1.0"}
        return json.dumps({"meta": meta, "name": "tiny", "files": files}).encode()

    def hashes(self, name: str, data: bytes) -> dict[str, str]:
        """What the page says of a file's contents."""
        if self.digest is None:
            return {}
        true = hashlib.new(self.digest, data).hexdigest()
        return {self.digest: self.digests.get(name) or true}
