"""What is known of a pinned source without reading it: `envs/REPO.source.json`, beside the pin.

`snakemake locks` writes it from the source (snakedev/sources/source_facts.py). The plan and the
locks read it, so that they need no source, and a job compares it with the source.
"""

from pathlib import Path
from typing import Self

from snakedev.base.errors import UserError
from snakedev.base.records import Record
from snakedev.config.fields import Commit, Origin, Sha256
from snakedev.config.repos import Repo


class ExternalProject(Record):
    """Another project that a build takes in, as the source names it."""

    repository: str
    commit: str
    """What of it is taken: a commit or a tag."""
    variable: str
    """The variable by which the build is told of a folder that holds it."""
    submodules: tuple[str, ...] | None = None
    """Those of its submodules that the build takes; None for all."""
    folder: str = "."
    """What of it that folder is."""


class SourceIdentity(Record):
    """Which source something is said of."""

    repo: str
    version: str
    sha256: Sha256 | None = None
    """Of the release's archive."""
    commit: Commit | None = None
    """Of upstream's git repository."""

    @classmethod
    def pinned(cls, name: str, repo: Repo, origin: Origin) -> Self:
        """The source that a repo's pin of an origin names. Where the release was made from the git
        pin's commit, it is the source of both."""
        release, git = repo.release, repo.git
        if origin == "release":
            assert release is not None
            return cls(
                repo=name, version=release.version, sha256=release.sha256, commit=release.commit
            )
        assert git is not None
        same = release is not None and release.commit == git.commit
        if same and release is not None:
            return cls.pinned(name, repo, "release")
        return cls(repo=name, version=repo.version, commit=git.commit)

    def names(self, other: "SourceIdentity", origin: Origin) -> bool:
        """Whether the other one is this source, under an origin."""
        if origin == "git":
            return self.commit is not None and self.commit == other.commit
        return (self.version, self.sha256) == (other.version, other.sha256)

    def __str__(self) -> str:
        digests = {"sha256": self.sha256, "commit": self.commit}
        said = ", ".join(f"{what} {value[:12]}" for what, value in digests.items() if value)
        return f"{self.repo} {self.version} ({said})"


class SourceFacts(SourceIdentity):
    """envs/REPO.source.json: what a pinned source, without our patches, says of itself."""

    requirements: dict[str, tuple[str, ...]]
    """By variant, what running it asks for: requirements/VARIANT.txt and the files in it."""
    build_requirements: dict[str, tuple[str, ...]]
    """By variant, what building for it asks for: `build-system.requires` of pyproject.toml, and
    requirements/build/VARIANT.txt."""
    external_projects: dict[str, ExternalProject] = {}
    """Other projects that a build for GPUs takes in and can do without, by its name for them."""
    tags: dict[str, str] = {}
    """Of projects that a build never does without, the tag or commit that it names."""
    extensions: dict[str, tuple[str, ...]] = {}
    """By variant, the extensions that a build compiles of the source itself."""

    @property
    def identity(self) -> SourceIdentity:
        """Which source they are of."""
        return SourceIdentity(**self.model_dump(include=set(SourceIdentity.model_fields)))


def facts_file(folder: Path, repo: str) -> Path:
    """Where what is known of a repo's pinned source stands, beside the locks in ``folder``."""
    return folder / f"{repo}.source.json"


def read_facts(folder: Path, pinned: SourceIdentity, origin: Origin) -> SourceFacts:
    """What is known of a pinned source; raises UserError where nothing is, or of another one."""
    file = facts_file(folder, pinned.repo)
    if not file.is_file():
        raise UserError(f"{file} is missing: it says what {pinned} asks for: run `snakemake locks`")
    try:
        facts = SourceFacts.read(file)
    except UserError as error:
        raise UserError(f"{error}: run `snakemake locks`") from None
    if not facts.identity.names(pinned, origin):
        raise UserError(
            f"{file} is of {facts.identity}, and repos.{pinned.repo} pins {pinned}: run "
            f"`snakemake locks`"
        )
    return facts
