"""The record of a bump: what it looked at, what it changed, and what is left to a person."""

from datetime import datetime
from typing import Literal

from snakedev.base.records import Record
from snakedev.config.fields import Origin
from snakedev.reports.patches.record import PatchTrialRecord

State = Literal["no news", "begun", "conflict", "locks", "moved"]
Outcome = Literal["unchanged", "merged", "dropped", "conflict", "waiting"]


class PassedOver(Record):
    """A newer release that is not moved to."""

    version: str
    why: str


class Difference(Record):
    """Something that one source has otherwise than the one before it."""

    what: str
    before: str | None
    """None for what came."""
    after: str | None
    """None for what went."""


class StepRecord(Record):
    """A release, or a commit, on the way to where a pin is moved, or that itself."""

    place: str
    """Its version, or the branch or tag and commit."""
    uploaded: datetime | None
    """When it came to the index, where that says so."""
    requirements: tuple[Difference, ...] = ()
    """What it asks for otherwise than the one before."""
    build: tuple[Difference, ...] = ()
    """What its build takes in otherwise than the one before."""
    trial: PatchTrialRecord | None = None
    """The series as it was before the move, tried on it; None for no patches."""


class ProposedExclusion(Record):
    """A package that the locks are compiled without, unless a person says otherwise."""

    package: str
    reason: str
    asked_by: tuple[str, ...]


class ReplayedPatch(Record):
    """What became of a patch of the series on the pin."""

    name: str
    subject: str
    changes_sha256: str
    """Of the lines that it added and removed before the move."""
    outcome: Outcome
    """`unchanged`: it adds and removes the same lines; `merged`: others; `dropped`: upstream has
    it, or a person skipped it."""
    detail: str = ""
    """For a conflict: the files."""


class MoveRecord(Record):
    """What became of one repo's pin."""

    repo: str
    origin: Origin
    before: str
    """The pin's version, and for origin git its commit."""
    after: str
    state: State
    """`no news`; `begun` (the pin is written); `conflict` (the series is not all on it); `locks`
    (the series is, they could not be compiled); `moved`."""
    passed: tuple[PassedOver, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    """The oldest first; the last is where the pin is moved to."""
    pins: tuple[Difference, ...] = ()
    """What is written into config.yaml, by key."""
    replay: tuple[ReplayedPatch, ...] = ()
    exclusions: tuple[ProposedExclusion, ...] = ()
    problem: str | None = None
    """Why the move is not done."""
    by_hand: tuple[str, ...] = ()
    """What to look at, a line each."""

    @property
    def waits(self) -> bool:
        """Whether git waits at a conflict in the work folder."""
        return any(patch.outcome == "conflict" for patch in self.replay)


class BumpRecord(Record):
    """What a bump page shows."""

    made: datetime
    python: str
    """The free-threaded Python, as `3.14`."""
    moves: tuple[MoveRecord, ...]
