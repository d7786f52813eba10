"""The wheelhouse: a variant's current wheels under their own names, with a PEP 503 index."""

import html
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from snakedev.base.job import Job
from snakedev.base.records import Record, write_text
from snakedev.store.layout import Layout
from snakedev.wheels.record import WheelRecord, sound_wheel


class HeldWheel(Record):
    """A wheel of a wheelhouse."""

    repo: str
    key: str
    file: str
    sha256: str


class WheelhouseRecord(Record):
    """wheelhouse.json: what a wheelhouse holds."""

    key: str
    """One key for all the wheels."""
    variant: str
    wheels: tuple[HeldWheel, ...]


def write_wheelhouse(
    layout: Layout, variant: str, key: str, records: Sequence[WheelRecord], running: Job
) -> WheelhouseRecord:
    """Make a variant's wheelhouse hold these wheels and no others, and write its index.

    The wheels are hard links into the store where the file system permits that. The index is in
    ``simple/``: pip takes it as ``--index-url`` with a file: address.
    """
    folder = layout.wheelhouse(variant)
    folder.mkdir(parents=True, exist_ok=True)
    current = {record.file for record in records}
    for old in folder.glob("*.whl"):
        if old.name not in current:
            old.unlink()
    simple = folder / "simple"
    shutil.rmtree(simple, ignore_errors=True)
    projects: dict[str, list[WheelRecord]] = {}
    for record in records:
        stored = sound_wheel(layout.wheel(record.variant, record.repo, record.key), record)
        _link(stored, folder / record.file)
        projects.setdefault(canonicalize_name(record.file.split("-")[0]), []).append(record)
    for project, wheels in projects.items():
        links = [
            f'<a href="../../{html.escape(w.file)}#sha256={w.sha256}">{html.escape(w.file)}</a><br>'
            for w in wheels
        ]
        write_text(simple / project / "index.html", _page(project, links))
    links = [f'<a href="{name}/">{name}</a><br>' for name in sorted(projects)]
    write_text(simple / "index.html", _page(f"wheelhouse {variant}", links))
    running.say(f"{len(records)} wheels in {folder}")
    return WheelhouseRecord(
        key=key,
        variant=variant,
        wheels=tuple(
            HeldWheel(repo=r.repo, key=r.key, file=r.file, sha256=r.sha256) for r in records
        ),
    )


def _link(stored: Path, shown: Path) -> None:
    if shown.exists() and shown.samefile(stored):
        return
    scratch = shown.with_name(f".{shown.name}.part")
    scratch.unlink(missing_ok=True)
    try:
        os.link(stored, scratch)
    except OSError:
        shutil.copyfile(stored, scratch)  # the store is on another disk
    scratch.replace(shown)


def _page(title: str, lines: Sequence[str]) -> str:
    body = "\n".join(lines)
    return (
        '<!DOCTYPE html>\n<html><head><meta name="pypi:repository-version" content="1.0">'
        f"<title>{html.escape(title)}</title></head>\n<body>\n{body}\n</body></html>\n"
    )
