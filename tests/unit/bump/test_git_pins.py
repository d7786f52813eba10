"""Moves of repos with a git pin: to a branch, and along with a release to the commit of its tag."""

import pytest
import yaml

from tests.unit.bump.bench import FILES
from tests.unit.repositories import commit, git


@pytest.fixture
def upstream(bench):
    """The repository that the project's repo is pinned in, too; on a branch from the pin."""
    folder = bench.index.with_name("upstream")
    git(folder, "checkout", "--quiet", "-b", "next", "HEAD~2")
    pin = f"    git:\n      url: {folder}\n      commit: {git(folder, 'rev-parse', 'HEAD')}\n"
    config = bench.folder / "config.yaml"
    config.write_text(bench.config.replace("    release:\n", f"{pin}    release:\n"))
    bench.commit()
    return folder


def pinned(bench) -> str | None:
    """The commit of the repo's git pin, as config.yaml has it."""
    return yaml.safe_load(bench.config)["repos"]["tiny"].get("git", {}).get("commit")


def test_a_branch_is_moved_to(bench, upstream):
    newest = commit(upstream, {"c.txt": "1\n"})
    move = bench.bump("next", origin="git")
    assert move.state == "moved", move.problem
    assert move.after == f"next ({newest[:12]})" and pinned(bench) == newest
    assert [patch.outcome for patch in move.replay] == ["unchanged", "unchanged"]
    assert move.by_hand == ("repos.tiny.version stays 1.0: a commit says none",)
    assert bench.bump("next", origin="git").state == "no news"


@pytest.mark.parametrize("tag", [("v1.1",), ("-m", "Release", "1.1")])
def test_a_release_takes_the_git_pin_along_to_its_tag(bench, upstream, tag):
    newest = commit(upstream, {"c.txt": "1\n"})
    git(upstream, "tag", *tag)
    commit(upstream, {"c.txt": "2\n"})
    bench.publish("1.1", FILES | {"c.txt": "1\n", "tiny/_version.py": said(newest)})
    move = bench.bump()
    assert move.state == "moved" and not move.by_hand
    assert pinned(bench) == newest


@pytest.mark.parametrize("tagged", [False, True])
def test_a_release_of_no_known_commit_leaves_no_git_pin_behind(bench, upstream, tagged):
    if tagged:
        commit(upstream, {"c.txt": "1\n"})
        git(upstream, "tag", "v1.1")
    bench.publish("1.1", FILES | {"tiny/_version.py": said("0123456ab" + "0" * 31)})
    move = bench.bump()
    assert move.state == "moved" and pinned(bench) is None
    assert "# git:\n" in bench.config
    (told,) = move.by_hand
    assert told.startswith("repos.tiny.git became a comment")
    assert ("and the release says that it is of 0123456ab" in bench.said) == tagged


def said(commit_id: str) -> str:
    """What setuptools-scm writes into a release of a commit."""
    return f"__commit_id__ = commit_id = 'g{commit_id[:9]}'\n"
