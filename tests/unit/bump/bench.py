"""A project in git whose one repo, with a patch, is pinned at a release of a package index."""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from snakedev.base.job import Job
from snakedev.bump.move import bump
from snakedev.reports.bump.record import MoveRecord
from tests.unit.package_index import make_sdist, publish
from tests.unit.repositories import git, repository

CONFIG = """\
# what is built
origin: release
interpreter: {{provider: system, path: {python}}}
variants: {{cpu: {{}}}}
repos:
  tiny:
    recipe: {recipe}
    version: "1.0"  # the pin
    release:
      name: tiny
      # of the index
      sha256: {sha256}
models: {{}}
smoke: {{variants: [], models: [], prompts: [{{text: Hello}}]}}
"""
TEXT = "".join(f"line {number}\n" for number in range(1, 41))
FILES = {"a.txt": TEXT, "b.txt": TEXT}


class BumpBench:
    """The project, in the working folder."""

    def __init__(
        self,
        folder: Path,
        index: Path,
        running: Job,
        *,
        python: Path | str = "python3.14t",
        files: Mapping[str, str] = FILES,
        recipe: str = "setuptools",
    ):
        self.folder, self.index, self.running = folder, index, running
        self._scratch = index.with_name("made")
        self.patches = folder / "patches/tiny"
        self._write_series(files)
        digest = hashlib.sha256(self.publish("1.0", files).read_bytes()).hexdigest()
        pin = {"name": "tiny", "version": "1.0", "sha256": digest}
        record = {"release": {"version": "1.0", "pin": pin}}
        (self.patches / "series.json").write_text(json.dumps(record))
        text = CONFIG.format(python=python, sha256=digest, recipe=recipe)
        (folder / "config.yaml").write_text(text, encoding="utf-8")
        (folder / ".gitignore").write_text("/results/\n/work/\n/.snakemake/\n")
        git(folder, "init", "--quiet")
        self.commit()

    def _write_series(self, files: Mapping[str, str]) -> None:
        """Two patches, one to each of two files."""
        upstream = self.index.with_name("upstream")
        repository(upstream, files)
        for name in ("a.txt", "b.txt"):
            path = upstream / name
            path.write_text(path.read_text().replace("line 20\n", f"line 20 of {name}\n"))
            git(upstream, "commit", "--quiet", "--all", "-m", f"Name {name}")
        options = ["--zero-commit", "--no-signature", "--no-numbered", "--full-index", "-2"]
        git(upstream, "format-patch", "--quiet", *options, "-o", self.patches.resolve())

    def commit(self) -> None:
        """Commit all of the project."""
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "-m", "State")

    def publish(self, version: str, files: Mapping[str, str]) -> Path:
        """Add a release to the index, which is asked anew then."""
        archive = make_sdist(self._scratch, "tiny", version, files)
        publish(self.index, archive)
        shutil.rmtree(self.folder / "results/cache", ignore_errors=True)
        return archive

    def bump(self, wanted: str = "newest", **more: object) -> MoveRecord:
        """Move the pin; returns what became of it."""
        values = yaml.safe_load(self.config) | {"bump": {"tiny": wanted}} | more
        (move,) = bump(values, self.folder, self.running).moves
        return move

    def take_the_patch(self, name: str) -> None:
        """Mend a conflict in a file: the patch's side counts; git goes on with the others."""
        work = self.folder / "work/tiny"
        text = (work / name).read_text()
        text = re.sub(r"<<<<<<<.*?=======\n(.*?)>>>>>>>[^\n]*\n", r"\1", text, flags=re.DOTALL)
        (work / name).write_text(text)
        git(work, "add", "--all")
        git(work, "am", "--continue")

    @property
    def changed(self) -> list[str]:
        """The files that git has otherwise, or not at all."""
        return git(self.folder, "status", "--porcelain", "-uall").split()[1::2]

    @property
    def config(self) -> str:
        return (self.folder / "config.yaml").read_text(encoding="utf-8")

    @property
    def said(self) -> str:
        """All that was said so far."""
        return self.running.log_path.read_text(encoding="utf-8")


def other(old: str, new: str, *files: str) -> dict[str, str]:
    """The files with a line changed in some of them."""
    return {n: t.replace(old, new) if n in files else t for n, t in FILES.items()}
