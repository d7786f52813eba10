"""A model hub on loopback: the part of the Hugging Face hub's protocol that a download uses."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from tests.unit.serving import serving

_TREE = re.compile(r"/api/models/([^/]+/[^/]+)/tree/([0-9a-f]{40})(\?.*)?$")
_FILE = re.compile(r"/([^/]+/[^/]+)/resolve/([0-9a-f]{40})/(.+)$")


class SmallHub:
    """Repos of one revision each; counts what is asked of it, and can refuse or break off."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], dict[str, bytes]] = {}
        self.gated: set[str] = set()
        self.token = "hf_the-right-one"
        self.cut_after: dict[str, int] = {}
        """Bytes after which the next transfer of a file breaks off, by its name."""
        self.spoilt: set[str] = set()
        """Files whose next transfer carries other bytes than announced."""
        self.failures = 0
        """So many requests are answered with status 503 first."""
        self.sent: list[tuple[str, str | None]] = []
        """Each transfer's file and Range header."""
        self.tokens: list[str | None] = []
        self.endpoint = ""

    @contextmanager
    def served(self) -> Iterator[None]:
        """Answer on a free port while the block runs."""
        with serving(self._handler()) as address:
            self.endpoint = f"http://{address}"
            yield

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_HEAD(self) -> None:
                self.answer(body=False)

            def do_GET(self) -> None:
                self.answer(body=True)

            def answer(self, body: bool) -> None:
                authorization = self.headers.get("Authorization")
                hub.tokens.append(authorization)
                if hub.failures:
                    hub.failures -= 1
                    return self.refuse(503)
                tree, file = _TREE.match(self.path), _FILE.match(self.path)
                found = tree or file
                if found is None:
                    return self.refuse(404)
                repo, revision = found.group(1), found.group(2)
                if all(known != repo for known, _ in hub.repos):
                    return self.refuse(401 if authorization is None else 404, "RepoNotFound")
                if repo in hub.gated and authorization != f"Bearer {hub.token}":
                    return self.refuse(401 if authorization is None else 403, "GatedRepo")
                if (repo, revision) not in hub.repos:
                    return self.refuse(404, "RevisionNotFound")
                files = hub.repos[repo, revision]
                if tree:
                    return self.reply(json.dumps([_entry(n, d) for n, d in files.items()]).encode())
                name = file.group(3)
                if name not in files:
                    return self.refuse(404, "EntryNotFound")
                return self.transfer(name, revision, files[name], body)

            def transfer(self, name: str, revision: str, data: bytes, body: bool) -> None:
                ranged = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
                start = int(ranged.group(1)) if ranged else 0
                self.send_response(206 if ranged else 200)
                self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
                self.send_header("X-Repo-Commit", revision)
                self.send_header("Accept-Ranges", "bytes")
                self.send_header("Content-Length", str(len(data) - start))
                if ranged:
                    self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
                self.end_headers()
                if not body:
                    return
                hub.sent.append((name, self.headers.get("Range")))
                end = hub.cut_after.pop(name, len(data))
                if name in hub.spoilt:
                    hub.spoilt.remove(name)
                    data = bytes(len(data))
                self.wfile.write(data[start:end])
                self.close_connection = end < len(data)

            def reply(self, data: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def refuse(self, status: int, code: str | None = None) -> None:
                self.send_response(status)
                if code:
                    self.send_header("X-Error-Code", code)
                self.send_header("Content-Length", "0")
                self.end_headers()

        return Handler


def _entry(name: str, data: bytes) -> dict[str, object]:
    blob = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
    entry = {"type": "file", "path": name, "size": len(data), "oid": blob}
    if name.endswith(".safetensors"):
        sha256 = hashlib.sha256(data).hexdigest()
        entry["lfs"] = {"oid": sha256, "size": len(data), "pointerSize": 134}
    return entry
