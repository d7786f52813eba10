"""What a moved pin changes in config.yaml: versions, digests, commits, and borrowed wheels."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from packaging.tags import Tag

from snakedev.base.errors import UserError
from snakedev.base.yaml_edit import Place, with_values, without
from snakedev.config.model import Config
from snakedev.config.repos import WheelPin
from snakedev.fetch.index_pages import PackageIndex, Page
from snakedev.reports.bump.record import Difference
from snakedev.reports.compat.availability import newest

_MACHINE = "x86_64"


@dataclass
class PinChanges:
    """Values of config.yaml by place, and what goes out of it."""

    values: dict[Place, str] = field(default_factory=dict)
    dropped: dict[Place, str | None] = field(default_factory=dict)
    """Entries that go, by place; one with a text stays as a comment below that."""

    def written(self, text: str) -> str:
        """config.yaml with the changes; all else in it stays as it is."""
        text = with_values(text, self.values)
        for place, why in self.dropped.items():
            text = without(text, [place], kept=why)
        return text

    def applied(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration's values with the changes."""
        changed = deepcopy(dict(values))
        for place, value in self.values.items():
            _inside(changed, place)[place[-1]] = value
        for place in self.dropped:
            del _inside(changed, place)[place[-1]]
        return changed

    def told(self, values: Mapping[str, Any]) -> Iterator[Difference]:
        """What changes of a configuration's values, by key."""
        for place, after in self.values.items():
            before = str(_inside(values, place)[place[-1]])
            if before != after:
                yield Difference(what=".".join(place), before=before, after=after)
        for place in self.dropped:
            before = _inside(values, place)[place[-1]]
            parts = before.values() if isinstance(before, Mapping) else [before]
            yield Difference(what=".".join(place), before=" ".join(map(str, parts)), after=None)


def of_release(
    config: Config, repo: str, version: str, sha256: str, commit: str | None, said: str | None
) -> PinChanges:
    """The changes for a release of a repo.

    ``commit`` is the upstream commit that it was made from, in full, where that is known: without
    it the git pin, which would name another version's, becomes a comment. ``said`` are the digits
    that the release gives.
    """
    begins = f"'s commit begins with {said}" if said else " has another commit"
    entry, root = config.repos[repo], ("repos", repo)
    assert entry.release is not None
    changes = PinChanges({(*root, "version"): version, (*root, "release", "sha256"): sha256})
    if entry.release.commit is not None:
        if commit is None:
            changes.dropped[(*root, "release", "commit")] = None
        else:
            changes.values[(*root, "release", "commit")] = commit
    if entry.git is not None:
        if commit is None:
            changes.dropped[(*root, "git")] = f"of {entry.version}: {version}{begins}"
        else:
            changes.values[(*root, "git", "commit")] = commit
    return changes


def of_commit(repo: str, commit: str) -> PinChanges:
    """The changes for another commit of a repo's git repository."""
    return PinChanges({("repos", repo, "git", "commit"): commit})


def add_kernels(
    changes: PinChanges, config: Config, repo: str, version: str, index: PackageIndex
) -> list[str]:
    """Add the project's own wheels of a version, which variants borrow kernels from.

    An entry for which the index has no such wheel goes; returns a line for each. Raises UserError
    where the configuration takes kernels from that one.
    """
    entry, told = config.repos[repo], []
    pages = index.pages(pin.name for pin in entry.kernels.values())
    for variant, pin in entry.kernels.items():
        place, key = ("repos", repo, "kernels", variant), f"repos.{repo}.kernels.{variant}"
        found = wheel_of(pages[pin.name], pin, version)
        if isinstance(found, WheelPin):
            changes.values[(*place, "version")] = found.version
            changes.values[(*place, "sha256")] = found.sha256
            continue
        settings = getattr(config.variants, variant)
        if settings is not None and settings.kernels == "upstream":
            raise UserError(
                f"variants.{variant}.kernels: upstream takes the kernels of {repo} {version} from "
                f"a wheel, and {found}: set it to source, or name another release in bump.{repo}"
            )
        changes.dropped[place] = None
        told.append(f"{key} went: {found}")
    if entry.kernels and len(told) == len(entry.kernels):
        for variant in entry.kernels:
            del changes.dropped["repos", repo, "kernels", variant]
        changes.dropped["repos", repo, "kernels"] = None
    return told


def wheel_of(page: Page, pin: WheelPin, version: str) -> WheelPin | str:
    """The wheel of another version that stands in a borrowed one's place; else why none does."""
    standing = (file for file in page.of(version) if not file.yanked)
    mine = [file for file in standing if any(_of_machine(tag) for tag in file.tags)]
    if not mine:
        last = newest(page)
        return f"the package index has no wheel of {pin.name} {version} for {_MACHINE}" + (
            f" (it ends at {last})" if last else ""
        )
    if len(mine) > 1 or mine[0].sha256 is None:
        names = ", ".join(file.name for file in mine)
        return f"which of {pin.name} {version} is a person's to choose: {names}"
    return WheelPin(name=pin.name, version=version, sha256=mine[0].sha256)


def _of_machine(tag: Tag) -> bool:
    return tag.platform.startswith(("manylinux", "linux")) and tag.platform.endswith(_MACHINE)


def _inside(values: Any, place: Place) -> Any:
    """The mapping that holds a place."""
    for key in place[:-1]:
        values = values[key]
    return values
