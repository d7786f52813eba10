"""The record of an upstream kit: each patch of a series as a draft, and what is open about it."""

from datetime import datetime
from typing import Literal

from snakedev.base.records import Record
from snakedev.reports.patches.record import Conflict
from snakedev.sources.patch_file import PatchDetails

State = Literal["ready", "open", "waits", "conflict", "upstream", "submitted", "ours"]
Status = Literal[
    "Pending",
    "Submitted",
    "Accepted",
    "Backport",
    "Denied",
    "Inactive-Upstream",
    "Inappropriate",
]
"""What a patch's message says of its way upstream: the values of Yocto's Upstream-Status."""


class Note(Record):
    """What a patch's message says of its way upstream, in lines that upstream does not get."""

    status: Status | None
    reason: str = ""
    """What stands in brackets behind the status: where it was submitted, why it is ours."""
    title: str
    """What the pull request is called."""
    depends_on: str | None = None
    """The subject of the patch that has to be there first."""
    scenarios: tuple[str, ...] = ()
    """The stress scenarios that show what it mends."""
    covered_by: tuple[str, ...] = ()
    """Upstream's tests, as files or folders, that hold what a patch leaves as it is: one that does
    the same faster, say."""
    upstream: str = ""
    """What upstream does today."""
    message: str
    """The rest: the commit message that upstream gets, without its subject."""


class Rule(Record):
    """A rule of upstream's for contributions, and whether a draft meets it."""

    rule: str
    met: bool | None
    """None where it is a person's to meet."""
    detail: str = ""


class Evidence(Record):
    """A record of ours that covers a patch."""

    what: str
    where: str
    """The file, below the project."""


class Draft(Record):
    """A patch on upstream's newest state, as far as it gets there."""

    patch: PatchDetails
    note: Note
    state: State
    """`ready`; `open` (a rule is not met); `waits` (for another patch of the series);
    `conflict`; `upstream` (is there already); `submitted`; `ours` (does not go upstream)."""
    why: str = ""
    """Why it is not ready."""
    branch: str | None = None
    commit: str | None = None
    """The branch's tip, in the drafts' repository."""
    stands_on: tuple[str, ...] = ()
    """The patches of the series that the branch has below it."""
    merged: bool = False
    """Whether a three-way merge put it there."""
    conflicts: tuple[Conflict, ...] = ()
    rules: tuple[Rule, ...] = ()
    tests: tuple[str, ...] = ()
    """The tests that it brings."""
    covered_by: tuple[str, ...] = ()
    """Upstream's own tests that name what it changes."""
    evidence: tuple[Evidence, ...] = ()
    range_diff: str = ""
    """How it differs from what is in the series; empty where it does not."""
    mail: str | None = None
    text: str | None = None
    """The files of the draft, below the project."""
    commands: tuple[str, ...] = ()
    """What a person types to send it."""


class RepoKit(Record):
    """drafts.json: what can be sent to one upstream."""

    repo: str
    url: str | None
    place: str
    """What the branches stand on: the branch and commit, or the release."""
    notes: tuple[str, ...] = ()
    """What could not be looked at, and what of upstream's rules is a person's to keep."""
    made: datetime
    drafts: tuple[Draft, ...]

    def of(self, *states: State) -> list[Draft]:
        """The drafts in some states."""
        return [draft for draft in self.drafts if draft.state in states]


class UpstreamReportRecord(Record):
    """What an upstream page shows."""

    kits: tuple[RepoKit, ...]
