"""What goes into a container image."""

from collections.abc import Iterable
from typing import ClassVar

from snakedev.base.records import Record
from snakedev.store.spec import Spec, beside_key


class Deb(Record):
    """A binary package of Debian's, pinned."""

    name: str
    version: str
    file: str
    """Its name as apt downloads it."""
    sha256: str


class ImageSpec(Spec):
    """A container image of a run environment."""

    kind: ClassVar[str] = "image"
    shelf: ClassVar[str] = "images"
    record_name: ClassVar[str] = "image.json"
    # gigabytes that are made of this workflow's own environment and interpreter
    shared: ClassVar[bool] = False
    variant: str
    environment_key: str
    suite: str
    """Debian's, of the base."""
    base: tuple[Deb, ...]
    name: str
    """The name and tag that it is loaded under."""
    variables: dict[str, str]
    """What programs in it see beside what all images have."""
    labels: dict[str, str]
    compression: str
    """What layers are compressed by."""
    recipe_number: int
    environment_name: str = beside_key()

    @property
    def place(self) -> str:
        return self.variant

    def _made_from(self) -> Iterable[str]:
        return (self.environment_key,)


class WorkflowImageSpec(Spec):
    """The container image that holds the workflow itself."""

    kind: ClassVar[str] = ImageSpec.kind
    shelf: ClassVar[str] = ImageSpec.shelf
    record_name: ClassVar[str] = ImageSpec.record_name
    shared: ClassVar[bool] = False
    suite: str
    """Debian's, of the base."""
    base: tuple[Deb, ...]
    name: str
    """The name and tag that it is loaded under."""
    tools: str
    """sha256 of the lock of its tools."""
    workflow: str
    """Digest of the workflow's files."""
    compression: str
    """What layers are compressed by."""
    recipe_number: int

    @property
    def place(self) -> str:
        return WORKFLOW


WORKFLOW = "workflow"
"""What stands for a variant where the image of the workflow lies."""
