"""Which settings uv sees."""

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest

from snakedev.base.errors import UserError
from snakedev.fetch import uv
from tests.unit.serving import serving


@pytest.fixture(autouse=True)
def bare(tmp_path, monkeypatch):
    """No settings of this machine's own."""
    for name in (
        "UV_DEFAULT_INDEX",
        "UV_INDEX_URL",
        "UV_INDEX",
        "PIP_INDEX_URL",
        "PIP_CONFIG_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))


def test_settings_of_pip_count_where_uv_has_none(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.example/simple")
    assert uv.environment()["UV_DEFAULT_INDEX"] == "https://pip.example/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv.example/simple")
    assert uv.environment()["UV_DEFAULT_INDEX"] == "https://uv.example/simple"


@pytest.mark.parametrize(
    "text",
    [
        'index-url = "https://uv.example/simple"\n',
        '[[index]]\nurl = "https://uv.example/simple"\ndefault = true\n',
        '[pip]\nindex-url = "https://uv.example/simple"\n',
    ],
)
def test_a_file_of_uv_counts_more_than_pip(tmp_path, monkeypatch, text):
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.example/simple")
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text(text)
    assert "UV_DEFAULT_INDEX" not in uv.environment()


def test_a_file_of_uv_without_a_default_index_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.example/simple")
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text('[[index]]\nurl = "https://more.example/simple"\n')
    assert uv.environment()["UV_DEFAULT_INDEX"] == "https://pip.example/simple"


def test_what_would_change_the_meaning_of_a_lock_is_dropped(monkeypatch):
    kept = {"UV_CACHE_DIR": "/cache", "UV_HTTP_TIMEOUT": "60", "UV_INDEX_MINE_PASSWORD": "secret"}
    dropped = {"UV_PRERELEASE": "allow", "UV_OVERRIDE": "x", "PYTHONPATH": "x", "VIRTUAL_ENV": "x"}
    for name, value in {**kept, **dropped}.items():
        monkeypatch.setenv(name, value)
    seen = uv.environment()
    assert kept.items() <= seen.items()
    assert not dropped.keys() & seen.keys()


def test_the_index_for_torch_comes_before_the_users_own(monkeypatch):
    monkeypatch.setenv("UV_INDEX", "https://mine.example/simple")
    seen = uv.environment("https://torch.example/cpu")
    assert seen["UV_INDEX"] == "https://torch.example/cpu https://mine.example/simple"
    assert seen["UV_INDEX_STRATEGY"] == "unsafe-best-match"


@contextmanager
def answering(status: int):
    """A server that answers everything with one status; yields where it is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_CONNECT = do_HEAD = do_GET

        def log_message(self, *_):
            pass

    with serving(Handler) as address:
        yield address


def refused(tmp_path, running, monkeypatch, index):
    """What is said where uv cannot ask an index; neither a password nor a path of it."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", index)
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "x.in").write_text("tiny\n")
    with pytest.raises(UserError) as raised:
        uv.run_uv("making x", ["pip", "compile", "--quiet", tmp_path / "x.in"], running)
    text = str(raised.value)
    assert text.startswith("making x: a package index did not answer (")
    assert "\n" not in text and "hunter2" not in text and "TOKEN" not in text
    return text


@pytest.mark.parametrize(
    ("status", "said"), [(401, "401 Unauthorized"), (403, "403 Forbidden"), (500, "500 Internal")]
)
def test_an_index_that_refuses_says_why(tmp_path, running, monkeypatch, status, said):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with answering(status) as server:
        text = refused(tmp_path, running, monkeypatch, f"http://me:hunter2@{server}/TOKEN/simple")
    assert said in text and server in text


def test_an_index_that_is_not_reached_says_why(tmp_path, running, monkeypatch):
    # a name that no server is asked for: its first part has one letter too many
    name = f"{'x' * 64}.invalid"
    monkeypatch.setenv("NO_PROXY", f"127.0.0.1,{name}")
    monkeypatch.setenv("COLUMNS", "80")
    text = refused(tmp_path, running, monkeypatch, "http://me:hunter2@127.0.0.1:9/TOKEN/simple")
    assert "(127.0.0.1:9: Connection refused (os error 111))" in text
    text = refused(tmp_path, running, monkeypatch, f"http://{name}/TOKEN/simple")
    assert f"({name}: failed to lookup address information: " in text


def test_a_proxy_that_refuses_says_why(tmp_path, running, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "")
    with answering(407) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:hunter2@{server}")
        text = refused(tmp_path, running, monkeypatch, "https://index.invalid/TOKEN/simple")
    assert "(index.invalid: tunnel error: proxy authorization required)" in text


def test_a_network_that_was_switched_off_is_said(tmp_path, running, monkeypatch):
    monkeypatch.setenv("UV_OFFLINE", "1")
    text = refused(tmp_path, running, monkeypatch, "https://index.invalid/TOKEN/simple")
    assert "because the network was disabled" in text
