"""What a look at the GIL found out: each extension module alone, and what vLLM imports."""

from collections.abc import Sequence
from typing import Literal

from snakedev.base.records import Record
from snakedev.reports.gil.extension_file import FileEvidence

Outcome = Literal["off", "on", "crash", "hang", "failed", "unknown"]
"""What importing a module did: left the GIL off, turned it on, crashed, did not end within the
time limit, raised, or cannot be said, as another module had turned the GIL on before it."""
Verdict = Literal["yes", "no", "unknown"]


class ModuleTrial(Record):
    """An extension module, imported alone in a fresh process without PYTHON_GIL."""

    module: str
    file: str
    """Below site-packages."""
    distribution: str
    version: str
    url: str | None
    """The project's address, as its metadata give it."""
    built_here: bool
    patches: tuple[str, ...]
    """Of a module built here: the patches of its series that are about the GIL."""
    evidence: FileEvidence
    declares: str | None
    """What the loaded module's definition says: `not used` or `used` are its Py_mod_gil slot, `no
    slot`, or `single-phase`; None where there was nothing to look at."""
    outcome: Outcome
    needs: str | None
    """Another package that has to be imported first."""
    seconds: float | None
    """What the import took, with all that it imports itself."""
    detail: str
    """The error, the signal, or who came first."""


class OffenderImport(Record):
    """A module that turns the GIL on, among those that an entry point imports."""

    module: str
    chain: tuple[str, ...]
    """The imports that were in progress when it was loaded, from the entry point to itself."""
    importers: tuple[str, ...]
    """All modules of other packages that import its package: each would load it, if those before
    it did not."""


class EntryTrial(Record):
    """What a process of vLLM imports, in a fresh process without PYTHON_GIL."""

    name: str
    code: str
    outcome: Outcome
    first: str | None
    """The module that turned the GIL on."""
    offenders: tuple[OffenderImport, ...]
    """The first, and those after it, which a second run with PYTHON_GIL=0 shows."""
    extensions: int
    """How many extension modules were loaded."""
    seconds: float | None
    detail: str
    """The error, or the signal."""


class GilRecord(Record):
    """gil.json: where the run environment of a variant stands without PYTHON_GIL."""

    key: str
    variant: str
    environment: str
    python: str
    vllm: str | None
    """vLLM's version."""
    entries: tuple[EntryTrial, ...]
    modules: tuple[ModuleTrial, ...]
    started: str
    """When, in UTC."""
    seconds: float
    work: dict[str, str] = {}
    """Repos that ran from work folders, with the folders' tree ids."""

    @property
    def verdict(self) -> Verdict:
        """Whether vLLM starts with the GIL off without PYTHON_GIL=0."""
        return verdict(self.entries)

    @property
    def offenders(self) -> tuple[ModuleTrial, ...]:
        """The modules that turn the GIL on by themselves."""
        return tuple(trial for trial in self.modules if trial.outcome == "on")


def verdict(entries: Sequence[EntryTrial]) -> Verdict:
    """`no` where one of the entry points ends with the GIL on, `yes` where all end with it off."""
    outcomes = {entry.outcome for entry in entries}
    if "on" in outcomes:
        return "no"
    return "yes" if outcomes == {"off"} else "unknown"
