"""What a move brings: each release on the way, and the series as it was tried on it."""

from collections.abc import Mapping
from pathlib import Path

from snakedev.base.yaml_edit import comments_in
from snakedev.bump.target import Places, Target
from snakedev.bump.upstream import Upstream, release_laid_out
from snakedev.config.model import Config
from snakedev.config.repos import GitPin
from snakedev.reports.bump.record import Difference, StepRecord


def place_of(config: Config, repo: str) -> str:
    """Where a repo's pin is, for a reader."""
    version, pin = config.repos[repo].version, config.pin_of(repo)
    return f"{version} ({pin.commit[:12]})" if isinstance(pin, GitPin) else version


def comments(text: str, repo: str, version: str) -> list[str]:
    """The comments on a repo in config.yaml that name a version, which nobody rewrites."""
    return [
        f"config.yaml, line {number}, still names {version}: {comment}"
        for number, comment in comments_in(text, ("repos", repo))
        if version in comment
    ]


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Difference, ...]:
    """What came, went and changed, by name."""
    return tuple(
        Difference(what=name, before=before.get(name), after=after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def looked_at(places: Places, repo: str, target: Target, project: Path) -> tuple[StepRecord, ...]:
    """What each release on the way to a target brings, and the target itself."""
    found = []
    for release in target.on_the_way if places.config.bump_report.on_the_way else ():
        with release_laid_out(
            places.config, repo, release, places.layout, places.running
        ) as upstream:
            found.append(_step(upstream))
    return (*found, _step(target.upstream))


def _step(upstream: Upstream) -> StepRecord:
    return StepRecord(place=upstream.place, uploaded=upstream.uploaded)
