"""Patches beside borrowed kernels: one that changes what those were compiled from is refused.

A patch takes no effect on kernels that are not compiled, and nothing would say so. What touches a
file behind them is therefore refused, unless its message says why the kernels stay the same:
`Kernels-unchanged: why`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from snakedev.config.model import Config
from snakedev.recipes.recipe import KernelLayout
from snakedev.recipes.registry import borrowed_layout
from snakedev.sources import patch_file

MARK = "Kernels-unchanged"
"""The line of a patch's message that says why the kernels stay the same."""
_UNCHANGED = re.compile(rf"^{MARK}: *\S", re.MULTILINE)


@dataclass(frozen=True)
class Behind:
    """A repo behind a variant's borrowed kernels: they were compiled from it."""

    repo: str
    variant: str
    layout: KernelLayout
    is_part: bool = False
    """Whether it is all in the kernels, and not the repo that takes them."""

    def deciding(self, files: Iterable[str]) -> list[str]:
        """Those of the repo's files that decide what is in the kernels."""
        return [file for file in files if self.is_part or self.layout.decides(file, self.variant)]

    def patch_problems(self, series: Iterable[tuple[str, bytes]]) -> Iterator[str]:
        """A line for each patch, given with its path, that the kernels would silently lack."""
        for path, data in series:
            if not self._may_change(data):
                continue
            changed = [
                file
                for patch in patch_file.commits(Path(path), data)
                if not _UNCHANGED.search(patch.message)
                for file in self.deciding(patch.files)
            ]
            if changed:
                files = ", ".join(dict.fromkeys(changed))
                yield (
                    f"{path}: it changes {files}, which variants.{self.variant}.kernels: "
                    f"upstream does not compile: set that to source, or, if the kernels stay the "
                    f"same, say why in the patch's message: `{MARK}: …`"
                )

    def edit_problems(self, folder: str, edited: Sequence[str]) -> Iterator[str]:
        """The line for edits of a work folder, not committed, that the kernels would lack."""
        if changed := self.deciding(edited):
            yield (
                f"{folder}: {', '.join(changed)}: edited, and variants.{self.variant}.kernels: "
                f"upstream does not compile it: set that to source, or undo the edit"
            )

    def _may_change(self, data: bytes) -> bool:
        """Whether git has to be asked what a patch changes; it takes its time."""
        return self.is_part or patch_file.may_name(data, self.layout.sources)


def behind(config: Config) -> list[Behind]:
    """Each repo behind borrowed kernels, for each variant with such."""
    return [
        Behind(name, variant, layout, is_part=name != borrower)
        for variant in config.configured_variants()
        if (borrower := config.borrower(variant)) and (layout := borrowed_layout(config, variant))
        for name in (borrower, *layout.parts(variant, config.repos[borrower].build_needs))
        if name in config.repos and config.has_pin(name)
    ]
