"""The project's own patches: edited and exported without a change, they stay as they are."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from snakedev.sources.patch_file import describe
from tests.small_project import PROJECT, git

pytestmark = pytest.mark.slow


@pytest.fixture
def clone(tmp_path) -> Path:
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(PROJECT), str(folder))
    return folder


def round_trip(clone: Path, repos: list[str], *arguments: str) -> str:
    """Edit and export; returns what git finds changed in the project then."""
    for action in ("edit", "export"):
        targets = [f"{action}_{repo}" for repo in repos]
        command = [Path(sys.executable).with_name("snakemake"), *targets, *arguments]
        done = subprocess.run(command, cwd=clone, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return git(clone, "status", "--porcelain")


def forge(clone: Path, repo: str, settings: dict, folder: Path) -> str:
    """What upstream's repository is beside its release, as far as the patches see it.

    It leaves the version to its release job, and lacks the files that the patches for git add.
    """
    git(clone, "clone", "--quiet", str(clone / "work" / repo), str(folder))
    git(folder, "checkout", "--quiet", "--detach", "pin")
    for patch in (clone / "patches" / repo / "git").glob("*.patch"):
        for file in describe(patch).files:
            (folder / file).unlink()
    for file, pattern in settings.get("version_files", {}).items():
        path = folder / file
        found = pattern.replace(r"(0\.0\.0)", re.escape(settings["version"]))
        stands = re.search(found, path.read_text(), re.MULTILINE)[0]
        path.write_text(path.read_text().replace(stands, 'version = "0.0.0"', 1))
    git(folder, "commit", "--quiet", "--all", "--allow-empty", "-m", "As upstream has it")
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    return git(folder, "rev-parse", "HEAD")


def test_edit_and_export_leave_the_project_as_it_is_for_both_origins(clone, tmp_path):
    settings = yaml.safe_load((clone / "config.yaml").read_text())["repos"]
    repos = sorted(path.name for path in (clone / "patches").iterdir() if path.is_dir())
    assert {"vllm", "outlines-core", "safetensors"} <= set(repos)
    assert round_trip(clone, repos) == ""

    pins = {}
    for repo in repos:
        folder = tmp_path / "forge" / repo
        commit = forge(clone, repo, settings[repo], folder)
        pins[repo] = {"origin": "git", "git": {"url": str(folder), "commit": commit}}
    mine = tmp_path / "git.yaml"
    mine.write_text(yaml.safe_dump({"repos": pins}))
    # the work folders move from the releases to the commits
    assert round_trip(clone, repos, "--configfile", "config.yaml", str(mine)) == ""
    count = git(clone / "work/outlines-core", "rev-list", "--count", "pin..HEAD")
    assert count == "2"
