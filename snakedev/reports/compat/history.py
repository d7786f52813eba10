"""Earlier compatibility reports, and what has changed since.

Each report that differs from the one before is kept as a dated record; the page compares the
present one with the latest of them that differs.
"""

from collections.abc import Iterator
from pathlib import Path

from packaging.utils import parse_wheel_filename

from snakedev.base.errors import UserError
from snakedev.base.records import Record
from snakedev.reports.compat.availability import Availability
from snakedev.reports.compat.rows import CompatRecord, Row, Status

_TIMES = "%Y-%m-%dT%H%M%SZ"
# How near a project is to a wheel that can be had: none, of a pre-release, of a release, of the
# version itself.
_NONE, _PRE, _FINAL, _HERE = range(4)

WORDS: dict[Status, str] = {
    "pure": "pure Python",
    "no abi": "binaries for any Python",
    "free-threaded": "free-threaded wheel",
    "built": "built here",
    "elsewhere": "wheel of another version only",
    "gil": "wheels for the GIL only",
    "source": "source distribution only",
    "none": "not on the index",
    "left out": "left out",
}
"""The statuses for a reader, in the order in which a report has them."""


class Change(Record):
    """What has become of a package between two reports."""

    name: str
    title: str
    good: bool | None
    """Whether more (or less) can be had of it; None for what is neither."""
    text: str
    """The rest of a sentence that begins with the title."""


def compare(record: CompatRecord, folder: Path) -> tuple[CompatRecord | None, tuple[Change, ...]]:
    """The latest report in ``folder`` that differs, and how; None and nothing where there is none.

    Keeps the present one beside them, unless the last of them says the same.
    """
    differing: tuple[CompatRecord | None, tuple[Change, ...]] = (None, ())
    kept = False
    for number, path in enumerate(sorted(folder.glob("*.json"), reverse=True)):
        try:
            before = CompatRecord.read(path)
        except UserError:
            continue  # a record of an earlier form of the report
        if differences := tuple(changes(before, record)):
            differing = (before, differences)
            break
        kept = kept or number == 0
    if not kept:
        record.write(folder / f"{record.made.strftime(_TIMES)}.json")
    return differing


def changes(before: CompatRecord, after: CompatRecord) -> Iterator[Change]:
    """What differs between two reports, by package; the time of asking does not count."""
    old, new = _by_name(before), _by_name(after)
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield _change(old[name], None, "is neither asked for nor tracked any more")
        elif name not in old:
            yield _change(new[name], None, f"is new: {_state(new[name])}")
        elif change := _changed(old[name], new[name]):
            yield change


def _by_name(record: CompatRecord) -> dict[str, Row]:
    """A row for each package: of several versions, the one that the first variant takes."""
    rows: dict[str, Row] = {}
    for row in record.rows:
        rows.setdefault(row.name, row)
    return rows


def _changed(old: Row, new: Row) -> Change | None:
    was, now = _nearness(old.index), _nearness(new.index)
    if now > was:
        return _change(new, True, _published(new))
    if now < was:
        return _change(new, False, f"has less of a wheel than before: {_state(new)}")
    if old.status != new.status:
        good = None if old.had == new.had else new.had
        return _change(new, good, f"was: {_state(old)}; is: {_state(new)}")
    if old.version != new.version:
        return _change(new, None, f"went from {old.version} to {new.version}: {_state(new)}")
    return None


def _change(row: Row, good: bool | None, text: str) -> Change:
    return Change(name=row.name, title=row.title, good=good, text=text)


def _nearness(index: Availability) -> int:
    if index.installable:
        return _HERE
    if index.final:
        return _FINAL
    return _PRE if index.pre else _NONE


def _published(row: Row) -> str:
    """That there is a wheel that can be had: for which ABI, of which version, since when."""
    index = row.index
    file, version, uploaded = index.file, row.version, index.uploaded
    if offer := index.final or index.pre:
        file, version, uploaded = offer.file, offer.version, offer.uploaded
    assert file is not None
    abis = {tag.abi for tag in parse_wheel_filename(file)[3]} - {"none"}
    kind = f"a {min(abis)} wheel" if abis else "a wheel for any Python"
    on = f" on {uploaded.strftime('%-d %B %Y')}" if uploaded else ""
    return f"published {kind} of {version}{on}"


def _state(row: Row) -> str:
    """The status in words, with the version."""
    return f"{row.version}, {WORDS[row.status]}" if row.version else WORDS[row.status]
