"""Downloads from the indexes that uv and pip are set to, with the credentials that these find."""

import hashlib
import os
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.fetch import uv
from snakedev.fetch.download import fetch_release
from tests.project import PROJECT
from tests.unit.fetch.small_index import NAME, PIN, SDIST, SmallIndex

WHO, SECRET = "some one", "hunter2/@:x"
QUOTED = "some%20one:hunter2%2F%40%3Ax"


@pytest.fixture
def private(small_index: SmallIndex, monkeypatch: pytest.MonkeyPatch) -> SmallIndex:
    """An index that wants a name and a password for its pages and, by absolute links, its files."""
    small_index.credentials, small_index.absolute = f"{WHO}:{SECRET}", True
    monkeypatch.delenv("PIP_INDEX_URL")
    return small_index


def got(folder: Path, running: Job) -> None:
    """Fetch the file, and find no secret in what was said."""
    assert fetch_release(PIN, folder / "downloads", None, running).read_bytes() == SDIST
    assert "hunter2" not in running.log_path.read_text()


def configured(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / "config" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX"])
def test_credentials_in_an_address_serve_absolute_links_too(
    private: SmallIndex,
    tmp_path: Path,
    running: Job,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if name == "UV_INDEX":
        monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple/")
        monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv(name, f"http://{QUOTED}@{private.address}")
    got(tmp_path, running)
    private.file_failures = [500] * 100
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(UserError) as raised:
        fetch_release(PIN, tmp_path / "elsewhere", None, running)
    said = str(raised.value) + running.log_path.read_text() + capsys.readouterr().err
    assert "hunter2" not in said and "HTTP status 500" in said


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX"])
def test_a_named_index_has_its_credentials_in_variables(
    private: SmallIndex, tmp_path: Path, running: Job, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv(name, f"my-own.index=http://{private.address}")
    monkeypatch.setenv("UV_INDEX_MY_OWN_INDEX_USERNAME", WHO)
    monkeypatch.setenv("UV_INDEX_MY_OWN_INDEX_PASSWORD", SECRET)
    got(tmp_path, running)


@pytest.mark.parametrize(
    "text",
    [
        'index-url = "URL"',
        'extra-index-url = ["URL"]',
        '[[index]]\nname = "own"\nurl = "URL"\ndefault = true',
        '[[index]]\nname = "own"\nurl = "URL"',
        '[pip]\nindex-url = "URL"',
        '[pip]\nextra-index-url = ["URL"]',
    ],
)
@pytest.mark.parametrize("file", ["uv/uv.toml", "own.toml", "uv.toml", "pyproject.toml"])
def test_files_of_uv_name_indexes(
    private: SmallIndex,
    tmp_path: Path,
    running: Job,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    file: str,
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    if file == "pyproject.toml":
        text = text.replace("[[index]]", "[[tool.uv.index]]").replace("[pip]", "[tool.uv.pip]")
        text = text if "[tool" in text else f"[tool.uv]\n{text}"
    configured(tmp_path, file, text.replace("URL", f"http://{QUOTED}@{private.address}"))
    below = tmp_path / "config" / "below"
    below.mkdir()
    monkeypatch.chdir(below if file in ("uv.toml", "pyproject.toml") else tmp_path)
    if file == "own.toml":
        monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "config" / file))
    got(tmp_path, running)


@pytest.mark.parametrize("section", ["global", "install", "download"])
@pytest.mark.parametrize("key", ["index-url", "index_url", "extra-index-url"])
def test_every_section_of_pip_s_file_counts(
    private: SmallIndex,
    tmp_path: Path,
    running: Job,
    monkeypatch: pytest.MonkeyPatch,
    section: str,
    key: str,
) -> None:
    monkeypatch.delenv("PIP_CONFIG_FILE")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    first = "[global]\nindex-url = http://127.0.0.1:9/simple/\n" if section != "global" else ""
    url = f"http://{QUOTED}@{private.address}"
    if key == "extra-index-url":
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
        url = f"\n    http://127.0.0.1:9/simple/\n    {url}"
    configured(tmp_path, "pip/pip.conf", f"{first}[{section}]\n{key} = {url}\n")
    got(tmp_path, running)
    seen = uv.environment()
    assert url.split()[-1] in seen.get("UV_EXTRA_INDEX_URL", seen["UV_DEFAULT_INDEX"])


def test_a_file_of_pip_that_does_not_parse_is_one_line(
    private: SmallIndex, tmp_path: Path, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_CONFIG_FILE")
    configured(tmp_path, "pip/pip.conf", "index-url = x\n")
    with pytest.raises(UserError, match=r"^the settings of pip cannot be read: .*pip\.conf[^\n]*$"):
        fetch_release(PIN, tmp_path / "downloads", None, running)


def test_netrc_has_credentials(
    private: SmallIndex, tmp_path: Path, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{private.address}")
    private.credentials = "me:hunter2"
    got(tmp_path, running)


@pytest.mark.parametrize("user", ["", "me@"])
def test_the_keyring_is_asked_where_the_index_refuses(
    private: SmallIndex, tmp_path: Path, running: Job, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    said = "hunter2" if user else "me\\nhunter2"
    due = "get SERVICE me" if user else "--mode creds get SERVICE"
    program = tmp_path / "bin" / "keyring"
    program.parent.mkdir()
    due = due.replace("SERVICE", f"http://{private.address}")
    program.write_text(f"#!/bin/sh\n[ \"$*\" = '{due}' ] && printf '{said}\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{user}{private.address}")
    private.credentials = "me:hunter2"
    got(tmp_path, running)
    monkeypatch.setenv("PIP_KEYRING_PROVIDER", "disabled")
    with pytest.raises(UserError, match="HTTP status 401"):
        fetch_release(PIN, tmp_path / "elsewhere", None, running)


@pytest.mark.parametrize("digest", ["md5", "sha512", None])
def test_the_pin_decides_where_the_page_has_no_sha256(
    small_index: SmallIndex, tmp_path: Path, running: Job, digest: str | None
) -> None:
    small_index.digest = digest
    small_index.files = {"tiny-1.0.zip": b"the same release, packed otherwise", **small_index.files}
    got(tmp_path, running)
    del small_index.files[NAME]
    other = hashlib.sha256(small_index.files["tiny-1.0.zip"]).hexdigest()
    with pytest.raises(UserError) as raised:
        fetch_release(PIN, tmp_path / "elsewhere", None, running)
    assert str(raised.value) == f"tiny-1.0.zip: its sha256 is {other}, pinned is {PIN.sha256}"


@pytest.mark.parametrize("name", ["PIP_FIND_LINKS", "UV_FIND_LINKS"])
@pytest.mark.parametrize("where", ["folder", "page"])
def test_links_are_looked_at_besides(
    small_index: SmallIndex,
    tmp_path: Path,
    running: Job,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    where: str,
) -> None:
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / NAME).write_bytes(SDIST)
    (folder / "other-1.0.tar.gz").write_bytes(b"of another project")
    monkeypatch.setenv(name, str(folder))
    if where == "page":
        small_index.links = f'<a href="/files/{NAME}">{NAME}</a><a href="/files/o-1.zip">o</a>'
        monkeypatch.setenv(name, f"http://{small_index.address}links.html")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{small_index.address}nothing/")
    got(tmp_path, running)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_one_line_and_not_tried_again(
    private: SmallIndex, tmp_path: Path, running: Job, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    private.status_of_refusal = status
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:hunter3@{private.address}")
    with pytest.raises(UserError) as raised:
        fetch_release(PIN, tmp_path / "downloads", None, running)
    assert f"tiny 1.0 (sdist): the package index did not give it (HTTP status {status}: " in str(
        raised.value
    )
    assert len(private.asked) == 1 and "\n" not in str(raised.value)
    assert "hunter3" not in str(raised.value)


@pytest.mark.parametrize(
    "no_proxy", ["[::1],127.0.0.1", "10.0.0.0/8,127.0.0.0/8", "fd00::/8,127.0.0.1", "*"]
)
def test_networks_and_ipv6_addresses_may_stand_in_no_proxy(
    small_index: SmallIndex,
    tmp_path: Path,
    running: Job,
    monkeypatch: pytest.MonkeyPatch,
    no_proxy: str,
) -> None:
    monkeypatch.setenv("NO_PROXY", no_proxy)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    got(tmp_path, running)


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("socks5://127.0.0.1:9", "is a socks proxy: name an HTTP proxy, or install PySocks"),
        ("http://127.0.0.1:9", "Connection refused"),
        ("http://u:hunter2@127.0.0.1:port", "did not"),
        ("http://", "did not"),
    ],
)
def test_a_proxy_that_does_not_serve_is_one_line(
    small_index: SmallIndex,
    tmp_path: Path,
    running: Job,
    monkeypatch: pytest.MonkeyPatch,
    proxy: str,
    said: str,
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(UserError) as raised:
        fetch_release(PIN, tmp_path / "downloads", None, running)
    text = str(raised.value)
    assert said in text and "\n" not in text and "hunter2" not in text


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:9/TOKEN/simple/", "127.0.0.1: Connection refused"),
        ("http://unheard-of.invalid/TOKEN/", "unheard-of.invalid: "),
        ("ftp://127.0.0.1/TOKEN/", "did not give it"),
        ("127.0.0.1/TOKEN", "did not give it"),
    ],
)
def test_an_address_that_leads_nowhere_says_why_and_keeps_its_path(
    small_index: SmallIndex,
    tmp_path: Path,
    running: Job,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    said: str,
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv("PIP_INDEX_URL", url)
    with pytest.raises(UserError) as raised:
        fetch_release(PIN, tmp_path / "downloads", None, running)
    text = str(raised.value)
    assert said in text and "\n" not in text
    assert "TOKEN" not in text + running.log_path.read_text()


def test_a_certificate_that_is_not_trusted_says_why(
    tmp_path: Path, running: Job, monkeypatch: pytest.MonkeyPatch, small_index: SmallIndex
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *request, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("PIP_INDEX_URL", f"https://localhost:{server.server_port}/TOKEN/")
    monkeypatch.setenv("NO_PROXY", "localhost")
    with pytest.raises(UserError) as raised:
        fetch_release(PIN, tmp_path / "downloads", None, running)
    server.shutdown()
    server.server_close()
    assert "(localhost: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: " in str(
        raised.value
    )
    assert "TOKEN" not in str(raised.value)


def test_what_make_runs_hands_the_settings_of_pip_to_uv(tmp_path: Path) -> None:
    """Before the workflow's packages are there: by any Python, without its site-packages."""
    environment = {"HOME": str(tmp_path), "PIP_INDEX_URL": "https://packages.example.org/simple"}
    printed = subprocess.run(
        [sys.executable, "-S", "-m", "snakedev.fetch.indexes", "/usr/bin/env"],
        cwd=PROJECT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "UV_DEFAULT_INDEX=https://packages.example.org/simple\n" in printed
