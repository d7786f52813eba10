"""What a stress run found out: each scenario's operations, its GIL, and what went wrong."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from snakedev.base.errors import UserError
from snakedev.base.records import Record
from snakedev.base.yaml_file import read_yaml

Kind = Literal["crash", "deadlock", "wrong answer", "exception", "memory", "threads", "gil"]
"""What a finding is: a process ended by a signal, nothing that moved any more, an answer other
than that of one thread, an exception that one thread does not get, memory or threads that grow
from round to round, or the GIL on."""
Outcome = Literal["clean", "known", "found"]
"""Of a scenario: no finding, known ones only, or one that is not known."""


class KnownFinding(Record):
    """A finding that a file describes: it is reported, and does not fail a run."""

    scenario: str
    kind: Kind
    matches: str
    """A regular expression that the finding's operation and message contain."""
    document: str
    """The file that describes it, below the project."""


class StressFinding(Record):
    """Something that went wrong, as often as it was seen."""

    kind: Kind
    operation: str
    """What the thread was doing; empty where it is not one thread's matter."""
    message: str
    stack: str
    count: int
    known: str | None = None
    """The file that describes it."""


class ProcessGil(Record):
    """A process that a scenario started."""

    role: str
    gil_enabled: bool
    threads: int


class Memory(Record):
    """Bytes of the child in memory: as the first round began, after the last, and at most."""

    first: int
    last: int
    peak: int


class GilWatch(Record):
    """How it is known that the GIL was off."""

    looks: int
    """How often the child asked, twice a second from its start to its end."""
    on: int
    """How often it was on."""
    cores_busy: float | None
    """Cores that the child kept busy while its threads worked, on average."""


class ScenarioRun(Record):
    """A scenario, run for a time in a child process."""

    scenario: str
    seed: int
    command: str
    """What runs it again with the same choices."""
    log: str
    threads: int | None = None
    """None, like what follows, where the child did not come to its end."""
    setup_seconds: float | None = None
    seconds: float | None = None
    """How long the threads worked."""
    rounds: int
    operations: dict[str, int]
    """By operation; of a child that did not come to its end, the number of all under `all`."""
    memory: Memory | None = None
    gil: GilWatch | None = None
    processes: tuple[ProcessGil, ...] = ()
    findings: tuple[StressFinding, ...]

    @property
    def outcome(self) -> Outcome:
        """Whether there is something that is not known."""
        if any(finding.known is None for finding in self.findings):
            return "found"
        return "known" if self.findings else "clean"


class StressRecord(Record):
    """stress.json: a stress run, so far."""

    started: str
    """When, in UTC."""
    seed: int
    minutes: float
    """How long threads worked, all scenarios together."""
    gil: Literal["off", "on"]
    """`on` runs the same with the GIL, to tell what only shows without it."""
    environment: str
    python: str
    packages: dict[str, str]
    machine: dict[str, str]
    runs: tuple[ScenarioRun, ...]
    unseen: tuple[KnownFinding, ...]
    """Known findings of the scenarios that ran and did not show them."""
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether something was found that is not known."""
        return any(run.outcome == "found" for run in self.runs)


def read_known(path: Path, project: Path) -> tuple[KnownFinding, ...]:
    """The known findings that a YAML file lists.

    Raises UserError for an entry that is not one, or whose document or pattern does not exist.
    """
    found = []
    for number, entry in enumerate(read_yaml(path) or (), 1):
        try:
            known = KnownFinding.model_validate(entry)
            re.compile(known.matches)
        except (ValidationError, re.error) as error:
            raise UserError(f"{path}: entry {number} is no known finding: {error}") from None
        if not (project / known.document).is_file():
            raise UserError(f"{path}: entry {number}: there is no {known.document}: write it")
        found.append(known)
    return tuple(found)


def judged(
    scenario: str, findings: Iterable[StressFinding], known: Sequence[KnownFinding]
) -> tuple[StressFinding, ...]:
    """The findings of a scenario, each with the file that describes it, if one does."""

    def document(finding: StressFinding) -> str | None:
        text = f"{finding.operation}: {finding.message}"
        matching = (
            one.document
            for one in known
            if (one.scenario, one.kind) == (scenario, finding.kind) and re.search(one.matches, text)
        )
        return next(matching, None)

    return tuple(finding.model_copy(update={"known": document(finding)}) for finding in findings)


def unseen(runs: Sequence[ScenarioRun], known: Iterable[KnownFinding]) -> tuple[KnownFinding, ...]:
    """The known findings whose scenario ran without showing them."""
    ran = {run.scenario for run in runs}
    shown = {(run.scenario, finding.known) for run in runs for finding in run.findings}
    return tuple(
        one for one in known if one.scenario in ran and (one.scenario, one.document) not in shown
    )
