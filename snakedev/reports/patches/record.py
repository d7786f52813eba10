"""The record of a patch trial."""

from typing import Literal

from snakedev.base.records import Record
from snakedev.config.fields import Origin
from snakedev.sources.patch_file import PatchDetails
from snakedev.sources.source import PublicPin

Verdict = Literal["clean", "offsets", "upstream", "conflict"]


ThreeWay = Literal["resolves", "conflicts", "impossible"]


class Offset(Record):
    """A hunk that applies, but not at its own line numbers."""

    file: str
    hunk: int
    """Its number in the file's part of the patch, from 1."""
    lines: int
    """How many lines further down it applies; negative for further up."""


class Conflict(Record):
    """A file of a patch that stands in its way."""

    file: str
    reason: str
    hunks: tuple[str, ...] = ()
    """The hunks that find no place, as they stand in the patch; none where the file itself is
    the reason."""


class TriedPatch(Record):
    """How one patch fared."""

    patch: PatchDetails
    verdict: Verdict
    """`clean`; `offsets` (applies at other line numbers); `upstream` (its content is there
    already); `conflict`."""
    offsets: tuple[Offset, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    three_way: ThreeWay | None = None
    """For a conflict: whether a three-way merge resolves it; `impossible` where the content that
    the patch was made from is not at hand."""
    without: tuple[str, ...] = ()
    """Earlier patches of the series that conflict, so that this one was tried without them."""

    @property
    def farthest(self) -> int:
        """The largest offset of a hunk, in lines either way; 0 for none."""
        return max((abs(offset.lines) for offset in self.offsets), default=0)


class PatchTrialRecord(Record):
    """A patch series tried on one tree."""

    key: str
    repo: str
    origin: Origin
    version: str
    pin: PublicPin
    """What was tried: the pin, or another commit of its repository."""
    ref: str | None
    """What the configuration calls that commit; None for the pin."""
    tree: str
    """Tree id before any patch."""
    problem: str | None
    """Why the version could not be set first, as it is in a source; None where it could."""
    patches: tuple[TriedPatch, ...]

    @property
    def place(self) -> str:
        """The ref, or `pin`; of a release it says that it is one."""
        return f"release {self.ref}" if self.ref and self.origin == "release" else self.ref or "pin"
