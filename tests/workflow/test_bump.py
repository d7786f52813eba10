"""`snakemake bump` as a user meets it: on a small package index, in a project that git has."""

import subprocess
import sys

import pytest

from snakedev.base.job import Job
from tests.small_project import Project, Result
from tests.unit.bump.bench import FILES, BumpBench, other
from tests.unit.package_index import served


@pytest.fixture
def bench(tmp_path, python, monkeypatch):
    """A project whose one repo is pinned at the only release of an index."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    folder = Project(tmp_path / "project", python).folder
    log = tmp_path / "log"
    with served(tmp_path / "index") as url, log.open("w") as file:
        monkeypatch.setenv("PIP_INDEX_URL", url)
        yield BumpBench(folder, tmp_path / "index", Job("test", file, log), python=python)


def snakemake(bench: BumpBench, *arguments: str) -> Result:
    """Run Snakemake in the project as a user would."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        cwd=bench.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Result(done.returncode, done.stdout)


def test_a_pin_moves_and_a_conflict_is_gone_on_with(bench):
    bump = ("bump", "--config", "bump={tiny: newest}")
    news = snakemake(bench, *bump)
    assert news.code == 0 and "tiny: no news" in news.text, news.text
    assert not bench.changed

    bench.publish("1.1", other("line 20\n", "line twenty\n", "a.txt"))
    stopped = snakemake(bench, *bump)
    assert stopped.code != 0
    assert "0001-Name-a.txt.patch conflicts with the pin in a.txt" in stopped.text
    assert "Error in rule" not in stopped.text
    assert bench.changed == ["config.yaml"]

    bench.take_the_patch("a.txt")
    done = snakemake(bench, *bump)
    assert done.code == 0, done.text
    patches = ["patches/tiny/0001-Name-a.txt.patch", "patches/tiny/series.json"]
    assert bench.changed == ["config.yaml", *patches]
    # what was moved is what a build takes
    sources = snakemake(bench, "sources")
    assert sources.code == 0 and sources.jobs == ["download", "source", "sources"], sources.text


def test_a_version_from_the_command_line_stays_text(bench):
    bench.publish("1.10", FILES)
    done = snakemake(bench, "bump", "--config", "bump={tiny: 1.10}")
    assert done.code == 0, done.text
    assert 'version: "1.10"' in bench.config
