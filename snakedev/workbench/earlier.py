"""The sources that a series was made on: what its patches are merged with on another pin."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.sources.source import abort, apply_patches, lay_base
from snakedev.store.layout import Layout
from snakedev.store.source_specs import PinnedSpec, SourceSpec

Fetch = Callable[[PinnedSpec], Path | None]
"""Has what a pin names here, and returns a release's archive; raises UserError."""


class Earlier(AbstractContextManager["Earlier"]):
    """Checkouts of the sources that a series was made on, made as they are asked for.

    They go with the block. What cannot be had is said in a line, and left out.
    """

    def __init__(self, specs: Sequence[SourceSpec], layout: Layout, fetch: Fetch, running: Job):
        self.specs = specs
        self._layout, self._fetch, self._running = layout, fetch, running
        self._scratch = tempfile.TemporaryDirectory(prefix="snakedev-earlier-")
        self._made: dict[str, Path | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._scratch.cleanup()

    def __iter__(self) -> Iterator[Path]:
        return filter(None, map(self.checkout, self.specs))

    def checkout(self, spec: SourceSpec) -> Path | None:
        """A checkout of a source, with those of its patches that apply; None without its pin."""
        if spec.key not in self._made:
            self._made[spec.key] = self._checkout(spec)
        return self._made[spec.key]

    def _checkout(self, spec: SourceSpec) -> Path | None:
        stored = self._layout.folder(spec)
        if (stored / spec.record_name).is_file():
            return stored / "tree"
        tree = Path(self._scratch.name).resolve() / spec.key / "tree"
        what = f"{spec.origin} {spec.version}, which the series was made on"
        self._running.say(f"getting {what}")
        try:
            lay_base(spec, self._layout, self._fetch(spec), tree)
        except UserError as error:
            self._running.say(f"{what}, is not there to merge with: {error}")
            return None
        for patch in spec.patches:
            try:
                apply_patches(tree, [patch])
            except CommandError:
                abort(tree)
        return tree
