"""Asking a package index: what is kept, what is asked for again, and answers without a network."""

import json
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from snakedev.base.errors import UserError
from snakedev.fetch.index_pages import PackageIndex

STALE = timedelta(microseconds=1)
NAMES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "PIP_CERT", "SSL_CERT_FILE")


class Index:
    """An index with a JSON API that counts what it is asked."""

    def __init__(self):
        self.projects: dict[str, list[str]] = {}
        self.asked: Counter[str] = Counter()
        self.unchanged = 0
        """How many answers were that nothing had changed."""
        self.statuses: list[int] = []
        """Statuses that the next requests are answered with."""
        self.etags = True
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.credentials: set[str | None] = set()
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            name = request.path.strip("/").rpartition("/")[2]
            self.asked[name] += 1
            self.credentials.add(request.headers.get("Authorization"))
            status = self.statuses.pop(0) if self.statuses else 200
            files = self.projects.get(name)
        tag = f'"{"-".join(files or [])}"'
        body = b""
        if status == 200 and files is None:
            status = 404
        elif status == 200 and self.etags and request.headers.get("If-None-Match") == tag:
            status, self.unchanged = 304, self.unchanged + 1
        elif status == 200:
            listed = [{"filename": f, "url": f, "hashes": {}} for f in files]
            meta = {"api-version": "1.1"}
            body = json.dumps({"meta": meta, "name": name, "files": listed}).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
        if self.etags and status in (200, 304):
            request.send_header("ETag", tag)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
        with self._lock:
            self.at_once -= 1


@contextmanager
def serving(index: Index):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            index.answer(self)

        def date_time_string(self, timestamp=None):
            return format_datetime(index.now, usegmt=True)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def index(monkeypatch):
    served = Index()
    served.projects = {"one": ["one-1.0-py3-none-any.whl"], "two": ["two-2.0.tar.gz"]}
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    with serving(served) as port:
        served.port = port
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
        yield served


def asker(tmp_path, running, **options):
    return PackageIndex(tmp_path / "index", running, **{"offline": False, **options})


def names(page):
    return [file.name for file in page.files]


def test_each_project_is_asked_for_once_by_its_canonical_name(index, tmp_path, running):
    pages = asker(tmp_path, running).pages(["One", "two", "one", "no-such"])
    assert {name: names(page) for name, page in pages.items()} == {
        "no-such": [],
        "one": ["one-1.0-py3-none-any.whl"],
        "two": ["two-2.0.tar.gz"],
    }
    assert [page.listed for page in pages.values()] == [False, True, True]
    assert {page.asked for page in pages.values()} == {index.now}
    assert index.asked == {"one": 1, "two": 1, "no-such": 1}


def test_what_was_just_asked_is_not_asked_again(index, tmp_path, running):
    first = asker(tmp_path, running).pages(["one", "no-such"])
    again = asker(tmp_path, running).pages(["one", "no-such"])
    assert index.asked == {"one": 1, "no-such": 1}
    assert again == first


def test_what_has_not_changed_is_not_sent_again(index, tmp_path, running):
    asker(tmp_path, running, fresh=STALE).pages(["one"])
    index.now += timedelta(days=1)
    page = asker(tmp_path, running, fresh=STALE).pages(["one"])["one"]
    assert (names(page), page.asked) == (["one-1.0-py3-none-any.whl"], index.now)
    assert (index.asked["one"], index.unchanged) == (2, 1)
    assert asker(tmp_path, running, fresh=STALE, offline=True).pages(["one"])["one"] == page
    index.projects["one"].append("one-1.1-py3-none-any.whl")
    assert len(asker(tmp_path, running, fresh=STALE).pages(["one"])["one"].files) == 2
    assert (index.asked["one"], index.unchanged) == (3, 1)


@pytest.mark.parametrize("etags", [True, False])
def test_offline_the_last_answer_counts_however_old(index, tmp_path, running, etags):
    index.etags = etags
    before = asker(tmp_path, running, fresh=STALE).pages(["one", "no-such"])
    asked = index.asked.total()
    kept = asker(tmp_path, running, fresh=STALE, offline=True).pages(["one", "no-such"])
    assert kept == before
    assert index.asked.total() == asked


def test_offline_what_was_never_asked_is_said(index, tmp_path, running):
    with pytest.raises(UserError, match=r"compat_report\.offline: .* nothing of one") as caught:
        asker(tmp_path, running, offline=True).pages(["one"])
    assert "\n" not in str(caught.value) and index.asked == {}


def test_a_failure_is_tried_again_and_then_said(index, tmp_path, running, monkeypatch):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    index.statuses = [503]
    assert asker(tmp_path, running).pages(["one"])["one"].listed
    index.statuses = [503] * 5
    with pytest.raises(UserError, match="the page of two: the package index did not answer"):
        asker(tmp_path, running).pages(["two"])


def test_few_are_asked_for_at_once(index, tmp_path, running):
    index.projects |= {f"p{number}": [] for number in range(40)}
    asker(tmp_path, running).pages(index.projects)
    assert index.most_at_once <= 4


def test_a_password_is_used_and_not_kept(index, tmp_path, running, monkeypatch):
    secret = f"http://ada:pass%3Aword@127.0.0.1:{index.port}/simple"
    monkeypatch.setenv("PIP_INDEX_URL", secret)
    assert asker(tmp_path, running).pages(["one"])["one"].listed
    assert index.credentials == {"Basic YWRhOnBhc3M6d29yZA=="}
    kept = b"".join(path.read_bytes() for path in (tmp_path / "index").iterdir())
    assert b"one-1.0" in kept
    assert b"word" not in kept and b"YWRhOnBh" not in kept


def test_torch_is_looked_for_on_its_own_index_too(index, tmp_path, running):
    other = Index()
    index.projects["torch"] = ["torch-2.11.0-py3-none-any.whl"]
    other.projects["torch"] = ["torch-2.11.0+cpu-py3-none-any.whl"]
    with serving(other) as port:
        asks = asker(tmp_path, running, torch_index=f"http://127.0.0.1:{port}/cpu")
        pages = asks.pages(["torch", "one"])
    assert len(pages["torch"].files) == 2 and len(pages["one"].files) == 1
    assert other.asked == {"torch": 1}
