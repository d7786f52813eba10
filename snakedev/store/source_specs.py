"""What goes into a patched source, and into the crates that it names."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from snakedev.config.fields import Origin
from snakedev.config.repos import GitPin, ReleasePin
from snakedev.store.spec import Spec, beside_key, key_when_set


class PinnedSpec(Spec):
    """What a patch series is applied to: a pin's files, with the version set."""

    repo: str
    origin: Origin
    pin_identity: dict[str, Any]
    """What the pin names: url-free, so that a mirror of the same commit is the same source."""
    version: str
    version_files: dict[str, str] = {}
    pin: GitPin | ReleasePin = beside_key()
    patches: tuple[Path, ...] = beside_key(default=())
    """The patch files, in order."""

    @property
    def place(self) -> str:
        return self.repo


class SourceSpec(PinnedSpec):
    """A pin with its patch series applied."""

    kind: ClassVar[str] = "source"
    shelf: ClassVar[str] = "sources"
    record_name: ClassVar[str] = "source.json"
    recipe_number: int = 1
    patch_bodies: tuple[str, ...] = ()
    """sha256 of each patch's diff body, in order."""
    work: str | None = key_when_set(default=None)
    """For a work folder as it stands: digest of its files, without packages' Python files."""
    work_tree: str | None = beside_key(default=None)
    """The tree id of all of it."""

    @property
    def from_work(self) -> bool:
        return self.work is not None


class CratesSpec(Spec):
    """The crates that a source's Cargo.lock names, fetched for an offline build."""

    kind: ClassVar[str] = "crates"
    shelf: ClassVar[str] = "crates"
    record_name: ClassVar[str] = "crates.json"
    repo: str
    source_key: str
    subdirectory: str
    recipe_number: int = 1
    read_from: str | None = beside_key(default=None)
    """The source to read, where `source_key` names only what of it matters."""

    @property
    def place(self) -> str:
        return self.repo

    def _made_from(self) -> Iterable[str]:
        return (self.source_key,)
