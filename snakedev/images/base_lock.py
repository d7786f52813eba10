"""The locks of the bases of images: Debian's packages, each by version and sha256.

Light to import: every plan reads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.records import Record
from snakedev.fetch.debian import DebianPackages
from snakedev.store.image_spec import Deb


@dataclass(frozen=True)
class Base:
    """What images of one kind begin with."""

    file: str
    """The lock's name in envs/."""
    key: str
    """The packages' name in config.yaml, under `image`."""
    unused: tuple[str, ...]
    """What packages ask for to configure themselves: an image's are unpacked, and no program of
    theirs runs."""


SERVING = Base("image.lock.json", "packages", ("debconf", "openssl", "perl-base"))
"""Of the images of run environments."""
WORKFLOW = Base("image-workflow.lock.json", "workflow_packages", ("debconf", "openssl"))
"""Of the image that holds the workflow."""


class BaseLock(Record):
    """A lock: what the base of images holds."""

    suite: str
    """Debian's suite, such as `trixie`."""
    asked: tuple[str, ...]
    """The packages that were asked for; the others are what they need."""
    packages: tuple[Deb, ...]

    @property
    def suites(self) -> tuple[str, ...]:
        """Where the packages are looked for."""
        return suites(self.suite)

    @property
    def libc(self) -> str:
        """The version of its C library, as `2.41`."""
        versions = {deb.name: deb.version for deb in self.packages}
        return versions["libc6"].partition("-")[0]


def suites(suite: str) -> tuple[str, str]:
    """A suite, and what mends it between its releases."""
    return suite, f"{suite}-updates"


def read_base(folder: Path, base: Base, suite: str, asked: Sequence[str]) -> BaseLock:
    """A base's lock in a folder; raises UserError where it is none of these packages."""
    file = folder / base.file
    if not file.is_file():
        raise UserError(f"{file} is missing: run `snakemake image_lock`")
    lock = BaseLock.read(file)
    for key, said, wanted in (
        ("suite", lock.suite, suite),
        (base.key, sorted(lock.asked), sorted(set(asked))),
    ):
        if said != wanted:
            raise UserError(f"{file} does not fit image.{key}: run `snakemake image_lock`")
    return lock


def compile_base(
    folder: Path,
    base: Base,
    suite: str,
    asked: Sequence[str],
    debian: DebianPackages,
    running: Job,
) -> BaseLock:
    """Write a base's lock: the newest of these packages that the mirror has, and what they need.

    Raises UserError when the mirror does not answer, or has no such suite or package.
    """
    wanted = sorted(set(asked))
    debs = debian.resolved(wanted, suites(suite), unused=base.unused)
    lock = BaseLock(suite=suite, asked=tuple(wanted), packages=tuple(debs))
    file = folder / base.file
    before = file.read_bytes() if file.is_file() else b""
    lock.write(file)
    how = "unchanged" if file.read_bytes() == before else "written"
    running.say(f"{file}: {how}, {len(debs)} packages of Debian's {suite}")
    return lock
