"""The pins that the series of this project were made on."""

import json
import shutil
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.config.repos import GitPin
from snakedev.plan.plan import Plan
from tests.project import PROJECT
from tests.unit.plan.default_plan import plan

URL = "https://github.com/vllm-project/vllm.git"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the patches of this project, to be changed."""
    shutil.copytree(PROJECT / "patches", tmp_path / "patches")
    return tmp_path


def record(project: Path, **pins: object) -> None:
    (project / "patches/vllm/series.json").write_text(json.dumps(pins))


# Made on the newest commit that could be had, which is older than the one that vLLM asks for.
OFF_ITS_PIN = {("git", "vllm-flash-attn")}


def test_every_series_is_on_its_pin():
    """A pin that is moved takes its series along: `snakemake edit_REPO`, then `export_REPO`."""
    off = set()
    for origin in ("release", "git"):
        made = plan(origin=origin)
        for repo in filter(made.config.has_pin, made.config.repos):
            if made.config.origin_of(repo) in {one.origin for one in made.sources.made_on(repo)}:
                off.add((origin, repo))
    assert off == OFF_ITS_PIN


def test_the_source_that_a_series_was_made_on_has_the_series(project):
    release = {"name": "vllm", "version": "0.25.0", "sha256": "1" * 64}
    record(project, release={"version": "0.25.0", "pin": release})
    made: Plan = plan(project=project)
    (source,) = made.sources.made_on("vllm")
    pinned = made.sources.pinned_source("vllm")
    assert (source.version, source.pin.sha256, source.origin) == ("0.25.0", "1" * 64, "release")
    assert source.patches == pinned.patches and source.key != pinned.key


def test_no_key_depends_on_it(project):
    before = plan(project=project).sources.pinned_source("vllm").key
    (project / "patches/vllm/series.json").unlink()
    without = plan(project=project)
    assert without.sources.pinned_source("vllm").key == before
    assert without.sources.made_on("vllm") == ()


def test_a_repository_is_asked_as_the_configuration_has_it(project):
    record(project, git={"version": "0.25.0", "pin": {"url": URL, "commit": "1" * 40}})
    secret = URL.replace("//", "//me:secret@")
    pin = {"url": secret, "commit": "2" * 40}
    made = plan(project=project, repos__vllm__origin="git", repos__vllm__git=pin)
    (source,) = made.sources.made_on("vllm")
    assert source.pin == GitPin(url=secret, commit="1" * 40)
    # the other origin's is what there is where this one's is not known
    (source,) = plan(project=project).sources.made_on("vllm")
    assert source.pin == GitPin(url=URL, commit="1" * 40)


def test_a_record_that_cannot_be_read_is_one_line(project):
    record(project, release={"version": "0.25.0", "pin": {"name": "vllm"}})
    with pytest.raises(UserError, match=r"patches/vllm/series\.json: not a SeriesRecord: release"):
        plan(project=project).sources.made_on("vllm")
