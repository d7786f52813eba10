"""Which patch series the patch report tries, and on what."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from snakedev.config.model import Config
from snakedev.recipes.registry import RECIPE_NUMBERS
from snakedev.sources import patch_file
from snakedev.store.specs import PatchTrialSpec, SourceSpec


def trials(
    config: Config, folder: Path, source: Callable[[str], SourceSpec]
) -> Iterator[PatchTrialSpec]:
    """Each repo's series on the pin that the run uses, if it has one, then on the refs asked for.

    ``folder`` holds the series, and ``source`` gives the source that a run makes of a repo. A ref
    is of the git repository, so the series for origin git is tried there, whatever the run's is.
    """
    for repo, entry in config.repos.items():
        if not config.has_pin(repo):
            continue
        pinned = source(repo)
        if pinned.patches:
            yield PatchTrialSpec(
                repo=repo,
                origin=pinned.origin,
                pin=pinned.pin,
                pin_identity=pinned.pin_identity,
                version=pinned.version,
                version_files=pinned.version_files,
                patches=pinned.patches,
                patch_files=_digests(pinned.patches),
                recipe_number=RECIPE_NUMBERS["patches"],
            )
        series = patch_file.series(folder / repo, "git")
        for ref in dict.fromkeys(config.patch_report.refs.get(repo, ())):
            assert entry.git is not None  # `check` has made sure
            trial = PatchTrialSpec(
                repo=repo,
                origin="git",
                pin=entry.git,
                pin_identity={"ref": ref},
                version=entry.version,
                version_files=entry.version_files,
                patches=series,
                patch_files=_digests(series),
                written_for=pinned,
                written_for_key=pinned.key,
                recipe_number=RECIPE_NUMBERS["patches"],
                ref=ref,
            )
            yield trial if trial.moves else trial.at(ref)


def _digests(series: tuple[Path, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in series)
