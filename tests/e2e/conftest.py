"""A clone in which `make smoke` has run: what is built in it, vLLM above all, serves all tests.

It is a fresh one, unless E2E_CLONE names a folder: a clone that is there is gone on with, and one
that is made there stays for the next command.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.small_project import PROJECT, Result, git

# what `make smoke` makes: tools, and all that is built
_BUILT = (".venv", ".snakemake", "results")


class Clone:
    """A clone of the project with an environment of tools."""

    def __init__(self, folder: Path, tools: Path | None = None):
        """Make a clone of the present commit, or bring one to it that is in ``folder``.

        What was built stays, and nothing else that tests have left there.
        """
        self.folder = folder
        self.tools = tools or folder / ".venv/bin"
        if (folder / ".git").exists():
            git(folder, "fetch", "--quiet", str(PROJECT), "HEAD")
            git(folder, "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
            git(folder, "clean", "-ffdqx", *(f"--exclude=/{name}" for name in _BUILT))
        else:
            git(PROJECT, "clone", "--quiet", str(PROJECT), str(folder))

    def share_compiler_cache(self, other: "Clone") -> None:
        """Let compilations take from another clone's compiler cache, and give to it."""
        cache = self.folder / "results/cache"
        cache.mkdir(parents=True)
        (cache / "ccache").symlink_to(other.folder / "results/cache/ccache")

    def compilations(self) -> tuple[int, int]:
        """How many the compiler cache had so far, and how many it had not."""
        folder = self.folder / "results/cache/ccache"
        asked = [self.tools / "ccache", "--dir", folder, "--print-stats"]
        printed = subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout
        counts = {name: int(count) for name, count in map(str.split, printed.splitlines())}
        hits = counts["direct_cache_hit"] + counts["preprocessed_cache_hit"]
        return hits, counts["cache_miss"]

    def wheels(self) -> dict[str, str]:
        """sha256 of each current wheel of the cpu variant by its file name."""
        self.snakemake("wheelhouse")
        house = self.folder / "results/wheelhouse/cpu"
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in house.glob("*.whl")}

    def snakemake(self, *arguments: str) -> Result:
        """Run Snakemake in the clone; what it prints is shown too, for it may take long."""
        done = subprocess.run(
            [self.tools / "snakemake", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        print(done.stdout)
        assert done.returncode == 0, done.stdout
        return Result(done.returncode, done.stdout)


@pytest.fixture(scope="session")
def clone(tmp_path_factory) -> Clone:
    """The clone in which `make smoke` has run."""
    named = os.environ.get("E2E_CLONE")
    folder = Path(named or tmp_path_factory.mktemp("e2e") / "snakedev-vllm")
    made = Clone(folder.absolute())
    subprocess.run(["make", "smoke"], cwd=made.folder, check=True)
    return made


@pytest.fixture
def another(clone: Clone, tmp_path: Path) -> Clone:
    """A clone elsewhere, without anything built, and with the patches of the first.

    They are more than the project's where earlier tests left some: the build tree of the first is
    one that was moved from patch to patch then.
    """
    other = Clone(tmp_path / "another" / "folder-with-a-longer-name", clone.tools)
    shutil.copytree(clone.folder / "patches", other.folder / "patches", dirs_exist_ok=True)
    return other
