"""Which settings uv sees."""

import pytest

from snakedev.fetch import uv


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
