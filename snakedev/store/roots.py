"""Roots: what each workflow that shares a store reaches in it.

As in Nix, what a root reaches is not garbage. A run writes down the keyed folders that its
configuration asks for, made or not, before it makes any; `snakemake prune` of another workflow
keeps them. A configuration that was changed counts from its next run on.
"""

import getpass
import hashlib
import os
import socket
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from snakedev.base.records import Record
from snakedev.store.layout import Layout
from snakedev.store.publish import make_folder

_DIGITS = 16


class Root(Record):
    """roots/HOST-DIGEST.json in a store: what one workflow reaches there."""

    host: str
    user: str
    folder: Path
    """The workflow's results folder, absolute."""
    when: str
    """When it last ran, in UTC."""
    reached: tuple[Path, ...]
    """Keyed folders, relative to the store."""

    @property
    def gone(self) -> bool:
        """Whether the workflow was this machine's and its folder is there no more."""
        return self.host == socket.gethostname() and not self.folder.is_dir()

    @property
    def owner(self) -> str:
        """Whose workflow it is, for a reader."""
        return f"{self.user} on {self.host}, {self.folder}"


def write_root(layout: Layout, reached: Iterable[Path]) -> Path:
    """Write down what this workflow reaches in its store; returns the root's file."""
    path = root_file(layout)
    make_folder(path.parent)
    Root(
        host=socket.gethostname(),
        user=_user(),
        folder=layout.root.absolute(),
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        reached=tuple(
            sorted(
                {
                    folder.relative_to(layout.shared)
                    for folder in reached
                    if folder.is_relative_to(layout.shared)
                }
            )
        ),
    ).write(path)
    return path


def root_file(layout: Layout) -> Path:
    """Where this workflow's root lies."""
    place = hashlib.sha256(bytes(layout.root.absolute())).hexdigest()[:_DIGITS]
    return layout.roots / f"{socket.gethostname()}-{place}.json"


def read_roots(layout: Layout) -> dict[Path, Root]:
    """The roots of all workflows of a store by their files.

    Raises UserError for one that cannot be read: it may reach anything.
    """
    return {path: Root.read(path) for path in sorted(layout.roots.glob("*.json"))}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())
