"""What a scenario gets: projects to harm, a seed, and how long an undisturbed run takes."""

import copy
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

from tools.chaos.subject import FILES, GREETING, TARGETS, Broken, Subject


class LeftOut(Exception):
    """A scenario that cannot be tried on this machine; its text says why."""


@dataclass
class Base:
    """The small workflow, run once undisturbed; scenarios begin with nothing or with a copy."""

    folder: Path
    python: Path
    seconds: float = 0
    """How long the undisturbed run took."""
    kills: int = 0
    """How many processes were killed."""
    _numbers: Iterator[int] = field(default_factory=count)

    def make(self) -> None:
        """Make the repositories, and run the workflow on them once."""
        self.first = self._begin("base")
        self.first.add_repo("words", "source", {"greeting.txt": f"{GREETING}\n"})
        self.first.add_repo("greeter", "setuptools", FILES, build_needs=["words"])
        self.first.run("--dry-run", *TARGETS)
        self.first.finishes()  # fills the cache of packages: what follows is what is measured
        shutil.rmtree(self.first.folder / "results")
        began = time.monotonic()
        self.first.finishes()
        self.seconds = time.monotonic() - began

    def _begin(self, name: str) -> Subject:
        place = self.folder / name
        place.mkdir(parents=True)
        subject = Subject(place / "project", self.python)
        subject.write_lock("build-any", ["setuptools"])
        subject.variables = {"UV_CACHE_DIR": str(self.folder / "packages")}
        return subject

    def copy(self, *, finished: bool) -> Subject:
        """A project on the same repositories, in which nothing or everything is made."""
        subject = self._begin(f"{next(self._numbers)}")
        subject.config = copy.deepcopy(self.first.config)
        subject.upstreams = self.first.upstreams
        if finished:
            # time stamps and links as they are
            subprocess.run(["cp", "-a", self.first.folder / "results", subject.folder], check=True)
        return subject


@dataclass
class Setting:
    """What one scenario gets."""

    base: Base
    random: Random
    used: list[Subject] = field(default_factory=list)

    def fresh(self) -> Subject:
        """A project in which nothing is made."""
        return self._used(finished=False)

    def finished(self) -> Subject:
        """A project in which everything is made."""
        return self._used(finished=True)

    def _used(self, *, finished: bool) -> Subject:
        self.used.append(self.base.copy(finished=finished))
        return self.used[-1]

    def flip(self, path: Path) -> None:
        """Change one byte of a file, leaving its size and time as they are, as a bad disk does."""
        if not path.is_file():
            raise Broken(f"{path}: no file to change")
        status, data = path.stat(), bytearray(path.read_bytes())
        data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
        mode = status.st_mode
        path.chmod(0o644)
        path.open("r+b").write(data)
        path.chmod(mode)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
