"""What of a plan is there, and how Snakemake sees it: by stamps.

A stamp is a copy of an artifact's record under results/stamps, with the key in its name, so that a
dry run of another configuration leaves the present one's as it is.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from snakedev.base.records import write_text
from snakedev.store.layout import Layout
from snakedev.store.spec import Spec

if TYPE_CHECKING:  # it takes its time to load
    from snakedev.store.remote import RemoteStore


class Artifacts:
    """The artifacts of one run."""

    def __init__(self, layout: Layout, *, head: bool = True, remote: "RemoteStore | None" = None):
        """``head``: whether this is the run's own process. One of its jobs, which reads the
        Snakefile again under an executor, writes nothing here. ``remote``: where to look for what
        is not here before it is made."""
        self.layout, self.head, self._remote = layout, head, remote
        self._specs: dict[Path, Spec] = {}

    def record(self, spec: Spec) -> Path:
        """The record that a keyed artifact holds when it is whole."""
        return self.layout.folder(spec) / spec.record_name

    def stands(self, spec: Spec) -> bool:
        """Whether a keyed artifact is there; one that was judged a failure is as good as none."""
        try:
            record = json.loads(self.record(spec).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return self._remote is not None and self._remote.take(spec, self.layout.folder(spec))
        except ValueError:
            return False  # damaged, as after a power failure: its job makes it anew
        return not spec.judged or record["passed"]

    def stamp(self, spec: Spec) -> Path:
        """Where Snakemake sees a keyed artifact."""
        self.spec_file(spec)
        stamp = self.layout.stamp(spec.kind, spec.place, spec.key)
        return self.settled(stamp, self.record(spec), self.stands(spec))

    def settled(self, stamp: Path, record: Path, stands: bool) -> Path:
        """Have a stamp exactly where what it stands for is there, whoever made that; returns it.

        Nothing is lost by it: a stamp that goes is of what is gone.
        """
        if not self.head:
            return stamp
        try:
            if not stands:
                stamp.unlink(missing_ok=True)
            elif stamp != record and not _same(stamp, record):
                write_text(stamp, record.read_text(encoding="utf-8"))
        except OSError:
            pass  # a run says where it begins that it cannot write here; a plan can be looked at
        return stamp

    def view(self, name: str, key: str, *shown: Path) -> Path:
        """Where Snakemake sees that ``shown``, files under their plain names, show a key."""
        stamp = self.layout.view(name, key)
        return self.settled(stamp, stamp, all(path.is_file() for path in (stamp, *shown)))

    def spec_file(self, spec: Spec) -> Path:
        """The file that hands a spec to its job, written when the run begins."""
        path = self.layout.spec(spec.kind, spec.place, spec.key)
        self._specs[path] = spec
        return path

    def offer(self) -> None:
        """Put what was asked for and is there into the remote store."""
        if self._remote is not None:
            for spec in self._specs.values():
                self._remote.offer(spec, self.layout.folder(spec))

    def write_specs(self) -> None:
        """Write the files of all specs that were asked for."""
        for path, spec in self._specs.items():
            text = spec.model_dump_json(indent=2) + "\n"
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                write_text(path, text)


def _same(stamp: Path, record: Path) -> bool:
    return stamp.is_file() and stamp.read_bytes() == record.read_bytes()
