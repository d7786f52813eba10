"""The compatibility report by the real workflow, on a small package index: what changes is told."""

import shutil

import pandas as pd
import pytest

from snakedev.environments.locks import lock_pins
from tests.unit.package_index import make_wheel, publish, served

VLLM = {
    "pyproject.toml": "[build-system]\nrequires = []\n",
    "requirements/common.txt": "packaging\nlater >= 1\n",
    "requirements/cpu.txt": "--extra-index-url https://example.org/whl\n-r common.txt\n",
}


@pytest.fixture
def reported(project, tmp_path, monkeypatch):
    """Make the report, of a vLLM that asks for two packages; returns its table, by package."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS", "UV_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    project.add_repo("vllm", "setuptools", VLLM)
    project.write_lock("run-cpu", ["packaging"])
    version = str(lock_pins(project.folder / "envs/run-cpu.lock")["packaging"].version)
    publish(tmp_path / "index", make_wheel(tmp_path / "wheels", "packaging", version))

    def run(*arguments: str, url: str):
        cache = str(tmp_path / "uv-cache")
        done = project.run("compat_report", *arguments, PIP_INDEX_URL=url, UV_CACHE_DIR=cache)
        assert done.code == 0, done.text
        table = pd.read_csv(project.folder / "results/reports/compat.csv").set_index("package")
        return done, table

    return run


def test_a_wheel_that_was_published_since_is_told(project, reported, tmp_path):
    kept = project.folder / "results/reports/compat"
    with served(tmp_path / "index") as url:
        first, table = reported(url=url)
        assert first.jobs == ["compat_report"]
        assert "1 of the 2 packages that vLLM 1.0 asks for can be installed" in first.text
        assert list(table.status[["packaging", "later", "ray"]]) == ["pure", "none", "left out"]

        # asked again each time, and the same is no news
        again, _ = reported(url=url)
        assert again.jobs == ["compat_report"]
        assert len(list(kept.iterdir())) == 1

        publish(tmp_path / "index", make_wheel(tmp_path / "wheels", "later", "1.5"))
        for cache in (project.folder / "results/cache/index", tmp_path / "uv-cache"):
            shutil.rmtree(cache)
        news, table = reported(url=url)
        assert table.index_state["later"] == "pure"
        assert "later published a wheel for any Python of 1.5" in news.text
        page = (project.folder / "results/reports/compat.html").read_text()
        assert "published a wheel for any Python of 1.5" in page
        assert len(list(kept.iterdir())) == 2

    # the index is gone: what it said last is in the caches
    offline, same = reported("--config", "compat_report={offline: true}", url=url)
    assert same.drop(columns="made").equals(table.drop(columns="made"))
    assert "later published a wheel for any Python of 1.5" in offline.text
