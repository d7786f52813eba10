"""The history report: what was ever built in this store, pin by pin, and how it ran."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from packaging.version import InvalidVersion, Version

from snakedev.base.errors import UserError
from snakedev.base.records import Record
from snakedev.base.text import counted
from snakedev.inference.smoke_record import SmokeRecord
from snakedev.reports.write import write
from snakedev.store.layout import Layout
from snakedev.store.specs import SmokeSpec, WheelSpec
from snakedev.wheels.record import WheelRecord

_RUN = "vllm"
"""The repo whose version smoke runs name."""
R = TypeVar("R", bound=Record)


class BuiltPin(Record):
    """A repo's pin, as it was built for a variant; the newest of its wheels is told of."""

    repo: str
    version: str
    variant: str
    origin: str
    pin: str
    """The commit, or the archive's sha256."""
    wheels: int
    """How many there are of it, with other patches, settings or compilers."""
    patches: int
    borrowed: bool
    """Whether its kernels were taken from a finished wheel."""
    size: int
    seconds: float
    built: str
    gil_on: int
    """How many of its extension modules turn the GIL on."""
    passed: bool | None
    """Whether the newest smoke run of that version and variant passed; None for none."""
    tokens_per_second: float | None
    gil_off: bool | None
    """Whether the GIL was off in each process of that run when its work was done."""


class HistoryRecord(Record):
    """What a history page shows."""

    store: str
    pins: tuple[BuiltPin, ...]
    """vLLM's first, and the newest version of each first."""
    unread: int
    """Records of another version of this project, which are left out."""


def look_back(layout: Layout) -> HistoryRecord:
    """What the store's records say of all that was built in it and is still there."""
    wheels, unread = _read(layout.shared, WheelSpec, WheelRecord)
    runs, more = _read(layout.shared, SmokeSpec, SmokeRecord)
    groups: dict[tuple[str, ...], list[WheelRecord]] = {}
    for wheel in wheels:
        told = str(wheel.pin.get("sha256") or wheel.pin.get("commit"))
        place = (wheel.repo, wheel.version, wheel.variant, wheel.origin, told)
        groups.setdefault(place, []).append(wheel)
    pins = [_pin(place, found, runs) for place, found in groups.items()]
    pins.sort(key=lambda pin: (_version(pin.version), pin.built), reverse=True)
    pins.sort(key=lambda pin: (pin.repo != _RUN, pin.repo))
    return HistoryRecord(store=str(layout.shared), pins=tuple(pins), unread=unread + more)


def write_report(record: HistoryRecord, folder: Path) -> None:
    """Write history.html, .csv and .json into a folder."""
    table = pd.DataFrame(
        [pin.model_dump() for pin in record.pins], columns=[*BuiltPin.model_fields]
    )
    write(record, table, "history/page.html.j2", _page(record), folder, "history")


def headline(record: HistoryRecord) -> str:
    """How much there is, in a sentence."""
    own = dict.fromkeys(pin.version for pin in record.pins if pin.repo == _RUN)
    others = len({pin.repo for pin in record.pins} - {_RUN})
    if not record.pins:
        return "Nothing was built in this store."
    told = f"vLLM {', '.join(own)}" if own else "No vLLM"
    return f"{told}, and {counted(others, 'other repo')}."


def _page(record: HistoryRecord) -> dict[str, Any]:
    return {
        "state": "plain",
        "word": "",
        "headline": headline(record),
        "summary": f"What was built in the store {record.store} and is still there: for each pin, "
        "the newest of its wheels, and for vLLM the newest smoke run of that version.",
        "tiles": [],
        "pins": record.pins,
        "unread": record.unread,
    }


def _pin(
    place: tuple[str, ...], wheels: Sequence[WheelRecord], runs: Iterable[SmokeRecord]
) -> BuiltPin:
    repo, version, variant, origin, told = place
    wheel = max(wheels, key=lambda one: one.built)
    mine = [r for r in runs if repo == _RUN and r.variant == variant and _of(r, version)]
    run = max(mine, key=lambda one: one.started, default=None)
    return BuiltPin(
        repo=repo,
        version=version,
        variant=variant,
        origin=origin,
        pin=told,
        wheels=len(wheels),
        patches=len(wheel.patches),
        borrowed=wheel.borrowed is not None,
        size=wheel.size,
        seconds=wheel.seconds,
        built=wheel.built,
        gil_on=sum(state == "on" for state in wheel.gil.values()),
        passed=run and run.passed,
        tokens_per_second=run.throughput.tokens_per_second if run and run.throughput else None,
        gil_off=run and not any(process.gil_enabled for process in run.processes),
    )


def _of(run: SmokeRecord, version: str) -> bool:
    """Whether a run was one of a version, whose wheel may have a label of its variant."""
    return run.versions.get(_RUN, "").partition("+")[0] == version.partition("+")[0]


def _read(
    store: Path, spec: type[WheelSpec] | type[SmokeSpec], kind: type[R]
) -> tuple[list[R], int]:
    """All records of a kind in a store, and how many cannot be read."""
    found: list[R] = []
    unread = 0
    for file in _files(store, spec):
        try:
            found.append(kind.read(file))
        except UserError:
            unread += 1
    return found, unread


def _files(store: Path, spec: type[WheelSpec] | type[SmokeSpec]) -> Iterator[Path]:
    yield from sorted(store.glob(f"{spec.folder(spec.places, '*')}/{spec.record_name}"))


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        return Version("0")
