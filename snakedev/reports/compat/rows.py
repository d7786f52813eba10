"""What of vLLM's closure can be had for a free-threaded Python: a row for each package."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from snakedev.base.records import Record
from snakedev.environments.exclusions import FILE as EXCLUSIONS_FILE
from snakedev.environments.exclusions import Exclusion, Exclusions
from snakedev.environments.locks import Pin
from snakedev.fetch.index_pages import Page
from snakedev.reports.compat.availability import Availability, judge, newest
from snakedev.reports.compat.closure import ROOT, Closure
from snakedev.reports.compat.tracked import FILE as TRACKED_FILE
from snakedev.reports.compat.tracked import Tracked

Status = Literal[
    "pure", "no abi", "free-threaded", "built", "elsewhere", "gil", "source", "none", "left out"
]
HAD: tuple[Status, ...] = ("pure", "no abi", "free-threaded", "built")
"""The statuses of what the environments here can have."""

ONLY_FOR_OTHERS = "only what is left out asks for it"
"""The reason of a package that no list names."""


class Row(Record):
    """A package at one version."""

    name: str
    title: str
    """The name as people write it."""
    version: str | None
    """The locked one, or that of the repo that builds it; of what is not here, the one that the
    closure has. None where there is none."""
    variants: tuple[str, ...]
    """The variants of vLLM whose closure has it; none for a tracked package that none has."""
    via: tuple[str, ...]
    """What asks for it."""
    status: Status
    """`built` (here, from source), `left out`, or what the index has at the version: see
    Availability."""
    index: Availability
    asked: datetime
    """When the index gave the answer that this rests on."""
    known: str
    """How the status is known."""
    reason: str = ""
    """Why it is left out."""
    without: str = ""
    """What of vLLM does not work without it."""
    note: str = ""
    """What else there is to say."""
    explained: bool = True
    """Whether the repository says why a package of the closure is not here."""
    tracked: bool = False
    """Whether it keeps a row of its own until it works here."""

    @property
    def had(self) -> bool:
        """Whether the environments here can have it."""
        return self.status in HAD


class CompatRecord(Record):
    """What a compatibility report shows."""

    made: datetime
    vllm: str
    """vLLM's version."""
    python: str
    """The free-threaded Python that the report is about."""
    ordinary: str
    """The ordinary Python that the closure was resolved for."""
    index: str
    """The address of the package index that was asked, without what is secret in it."""
    offline: bool
    """Whether only kept answers counted."""
    rows: tuple[Row, ...]

    @property
    def packages(self) -> dict[str, tuple[Row, ...]]:
        """The closure by package: one has several rows where variants take several versions."""
        packages: dict[str, tuple[Row, ...]] = {}
        for row in self.rows:
            if row.variants:
                packages[row.name] = (*packages.get(row.name, ()), row)
        return packages


@dataclass(frozen=True)
class Known:
    """What the repository says of packages, whatever an index has."""

    python: str
    """The free-threaded Python, as `3.14`."""
    locks: Mapping[str, Mapping[str, Pin]]
    """The pins of the run-time locks by variant."""
    built: Mapping[str, tuple[str, str]]
    """By canonical name, the repo that builds a package here, and its version."""
    parts: Mapping[str, str | None]
    """Repos that may be part of vLLM's wheels here: None where one is, else why none is."""
    exclusions: Exclusions
    """What no lock has."""
    excluded: Mapping[str, Mapping[str, Exclusion]]
    """The packages that the run-time lock of each variant leaves out."""
    tracked: Sequence[Tracked]
    repacked: Mapping[str, str] = field(default_factory=dict)
    """The repos whose wheels stand for the index's where a lock has those, each with a note."""


def closure_rows(
    closures: Sequence[Closure], pages: Mapping[str, Page], known: Known
) -> Iterator[Row]:
    """A row for each package of the closures, in the order of names: several where variants have
    several versions of it, or where one of them leaves it out."""
    only = {closure.variant: _only_for_others(closure, known) for closure in closures}
    for name in sorted({name for closure in closures for name in closure.packages}):
        having = [closure for closure in closures if name in closure.packages]
        kinds = {
            closure.variant: (
                _version(name, closure, known),
                known.excluded[closure.variant].get(name),
            )
            for closure in having
        }
        for kind in dict.fromkeys(kinds.values()):
            those = [closure for closure in having if kinds[closure.variant] == kind]
            yield _row(name, *kind, those, pages[name], only, known)


def tracked_rows(rows: Iterable[Row], pages: Mapping[str, Page], known: Known) -> Iterator[Row]:
    """The rows with those of tracked packages marked, and behind them those that no closure has."""
    wanted = {one.project: one for one in known.tracked}
    met = set()
    for row in rows:
        if one := wanted.get(row.name):
            met.add(row.name)
            without = row.without or one.without
            note = "; ".join(filter(None, [row.note, one.note]))
            row = row.model_copy(
                update={"title": one.name, "tracked": True, "without": without, "note": note}
            )
        yield row
    for project, one in wanted.items():
        if project not in met:
            yield _tracked_alone(one, pages[project], known)


def _version(name: str, closure: Closure, known: Known) -> str | None:
    """The version that is used here, else the closure's."""
    if name in known.built:
        return known.built[name][1]
    if pin := known.locks[closure.variant].get(name):
        return str(pin.version)
    return closure.packages[name].version


def _only_for_others(closure: Closure, known: Known) -> set[str]:
    """What of a closure is not here since only what is left out asks for it."""
    here = known.locks[closure.variant].keys() | known.built.keys()
    absent = {name for name in closure.packages if name not in here}
    gone = {name for name in absent if name in known.excluded[closure.variant]}
    only: set[str] = set()
    while more := {
        name
        for name in absent - gone
        if closure.packages[name].via and gone.issuperset(closure.packages[name].via)
    }:
        gone |= more
        only |= more
    return only


def _row(
    name: str,
    version: str | None,
    exclusion: Exclusion | None,
    closures: Sequence[Closure],
    page: Page,
    only: Mapping[str, Set[str]],
    known: Known,
) -> Row:
    index = judge(page, version, known.python)
    asked = any(ROOT in closure.packages[name].via for closure in closures)
    locked = all(name in known.locks[closure.variant] for closure in closures)
    via = sorted({asker for closure in closures for asker in closure.packages[name].via})
    row = Row(
        name=name,
        title=name,
        version=version,
        variants=tuple(closure.variant for closure in closures),
        via=tuple(via),
        status=index.state,
        index=index,
        asked=page.asked,
        known=index_says(index),
        note=_extras(name, known.exclusions),
    )
    if name in known.built:
        repo = known.built[name][0]
        how = f"config.yaml: repos.{repo} builds it; {index_says(index)}"
        return row.model_copy(update={"status": "built", "known": how})
    if exclusion:
        return row.model_copy(
            update={
                "status": "left out",
                "reason": exclusion.reason,
                "without": exclusion.without_it if asked else exclusion.without,
                "known": f"envs/{EXCLUSIONS_FILE}; {index_says(index)}",
            }
        )
    if locked and name in known.repacked:
        how = f"config.yaml: repos.{name} patches it; {index_says(index)}"
        notes = "; ".join(filter(None, [row.note, known.repacked[name]]))
        return row.model_copy(update={"status": "built", "known": how, "note": notes})
    if locked:
        return row
    if not any(name in only[closure.variant] for closure in closures):
        silent = f"no lock has it, and envs/{EXCLUSIONS_FILE} does not say why"
        return row.model_copy(update={"note": silent, "explained": False})
    return row.model_copy(
        update={
            "status": "left out",
            "reason": ONLY_FOR_OTHERS,
            "without": "nothing more than without that",
            "known": f"what asks for it in the closure; {index_says(index)}",
        }
    )


def _extras(name: str, exclusions: Exclusions) -> str:
    """The extras that a package is taken without."""
    return "; ".join(
        f"taken without [{extra}], as {one.reason}; what does not work then: {one.without_it}"
        for (package, extra), one in exclusions.extras.items()
        if package == name
    )


def _tracked_alone(one: Tracked, page: Page, known: Known) -> Row:
    """A tracked package that no closure has, at its newest version."""
    version = newest(page)
    index = judge(page, None, known.python)
    excluded = known.exclusions.packages.get(one.project)
    row = Row(
        name=one.project,
        title=one.name,
        version=str(version) if version else None,
        variants=(),
        via=(),
        status=index.state,
        index=index,
        asked=page.asked,
        known=index_says(index),
        without=one.without,
        note=one.note,
        tracked=True,
    )
    if one.repo:
        how = f"config.yaml: repos.{one.repo}"
        reason = known.parts.get(one.repo, "config.yaml has no such repo")
        if reason is None:
            how = f"{how} goes into vLLM's wheel; {index_says(index)}"
            return row.model_copy(update={"status": "built", "known": how})
    elif excluded:
        how, reason = f"envs/{EXCLUSIONS_FILE}", excluded.reason
    elif one.reason:
        how, reason = f"envs/{TRACKED_FILE}", one.reason
    else:
        return row
    how = f"{how}; {index_says(index)}"
    return row.model_copy(update={"status": "left out", "reason": reason, "known": how})


def index_says(index: Availability) -> str:
    """What the index has, in a few words, with the file that shows it."""
    match index.state:
        case "pure" | "no abi" | "free-threaded":
            return f"the index has {index.file}"
        case "elsewhere":
            kind = "another version" if index.final else "a pre-release"
            offers = [offer.file for offer in (index.final, index.pre) if offer]
            return f"the index has a wheel of {kind} only: {' and '.join(offers)}"
        case "gil":
            return f"the index has wheels of {', '.join(index.abis)} only, such as {index.file}"
        case "source":
            return f"the index has no wheel, only {index.file}"
        case "none" if index.listed:
            return "the index has the project, but not this version"
        case _:
            return "the index has no such project"
