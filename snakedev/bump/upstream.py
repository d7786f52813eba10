"""What a release, or a commit, of a project says of itself."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from packaging.requirements import Requirement

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.bump.releases import Release
from snakedev.config.model import Config
from snakedev.config.repos import GitPin, ReleasePin
from snakedev.config.source_facts import SourceFacts, SourceIdentity
from snakedev.environments.requirements import marker_environment
from snakedev.fetch.download import fetch_pin
from snakedev.fetch.index_pages import PackageIndex
from snakedev.fetch.mirror import ensure_commit, look_up, refs_of
from snakedev.recipes.registry import RECIPES
from snakedev.reports.compat.availability import OF_THE_INDEX, judge, versions
from snakedev.sources.source import lay_files
from snakedev.sources.source_facts import read_source
from snakedev.sources.stated_commit import stated_commits
from snakedev.store.layout import Layout
from snakedev.store.publish import scratch_in


@dataclass(frozen=True)
class Upstream:
    """A release, or a commit, of a repo, with its files laid out."""

    place: str
    """Its version, or the branch and commit, for a reader."""
    uploaded: datetime | None
    pin: ReleasePin | GitPin
    tree: Path
    commit: str | None
    """The commit that it is of, as far as is known here: a release may say its first digits."""
    facts: SourceFacts | None
    """What the plan has to know of it; None for a repo of which it needs nothing."""


@contextmanager
def release_laid_out(
    config: Config, repo: str, release: Release, layout: Layout, running: Job
) -> Iterator[Upstream]:
    """Fetch a release of a repo, and lay its files out while the block runs."""
    pinned = config.repos[repo].release
    assert pinned is not None
    pin = pinned.model_copy(
        update={"version": str(release.version), "sha256": release.sha256, "commit": None}
    )
    with laid_out(pin, config, repo, layout, running) as tree:
        yield Upstream(
            place=pin.version,
            uploaded=release.uploaded,
            pin=pin,
            tree=tree,
            commit=next(iter(stated_commits(tree, pin.subdirectory).values()), None),
            facts=_facts(config, repo, tree, version=pin.version, sha256=pin.sha256),
        )


@contextmanager
def commit_laid_out(
    config: Config, repo: str, ref: str, layout: Layout, running: Job
) -> Iterator[Upstream]:
    """Look up and fetch a branch, a tag or a full commit of a repo, and lay it out likewise."""
    pinned = config.repos[repo].git
    assert pinned is not None
    full = re.fullmatch(r"[0-9a-f]{40}", ref)
    commit = ref if full else look_up(layout, repo, pinned.url, ref, running)
    pin = pinned.model_copy(update={"commit": commit})
    with laid_out(pin, config, repo, layout, running) as tree:
        yield Upstream(
            place=commit[:12] if full else f"{ref} ({commit[:12]})",
            uploaded=None,
            pin=pin,
            tree=tree,
            commit=commit,
            facts=_facts(config, repo, tree, version=config.repos[repo].version, commit=commit),
        )


@contextmanager
def laid_out(
    pin: ReleasePin | GitPin, config: Config, repo: str, layout: Layout, running: Job
) -> Iterator[Path]:
    """Fetch what a pin of a repo names, and lay its files out while the block runs."""
    with scratch_in(layout.cache / "bump") as scratch:
        tree = scratch / "tree"
        archive = None
        if isinstance(pin, GitPin):
            ensure_commit(layout, repo, pin.url, pin.commit, pin.submodules, running)
        else:
            archive = fetch_pin(pin, config, running)
        lay_files(repo, pin, layout, archive, tree)
        yield tree


def _facts(config: Config, repo: str, tree: Path, **identity: str) -> SourceFacts | None:
    """What a source says of itself, where the plan asks for that."""
    if not RECIPES[config.repos[repo].recipe].facts:
        return None
    return read_source(tree, SourceIdentity(repo=repo, **identity))


def full_commit(
    config: Config, repo: str, version: str, said: str | None, layout: Layout, running: Job
) -> str | None:
    """The whole id of the commit that a release was made from, by its tag upstream.

    None where there is no such tag, where the release says that it is of another commit, and where
    upstream cannot be asked.
    """
    pinned = config.repos[repo].git
    if pinned is None:
        return None
    try:
        known = refs_of(layout, repo, pinned.url, f"tag v{version}", running)
    except UserError as error:
        running.say(str(error))
        return None
    for tag in (f"v{version}", version):
        commit = known.get(f"refs/tags/{tag}")
        if commit and (said is None or commit.startswith(said)):
            return commit
        if commit:
            running.say(f"tag {tag} is {commit[:12]}, and the release says that it is of {said}")
    return None


def lacking_torch(facts: SourceFacts, config: Config, index: PackageIndex) -> str | None:
    """Why a release cannot run here: no wheel of the torch that it asks for; None where one is."""
    python = config.interpreter.version
    environment = marker_environment(python)
    for variant in set(config.configured_variants()) & set(OF_THE_INDEX):
        for text in facts.requirements.get(variant, ()):
            asked = Requirement(text)
            if asked.name != "torch" or (asked.marker and not asked.marker.evaluate(environment)):
                continue
            page = index.pages(["torch"])["torch"]
            fitting = [v for v in versions(page) if asked.specifier.contains(v, prereleases=True)]
            if not any(judge(page, str(v), python).installable for v in fitting):
                return (
                    f"it asks for torch{asked.specifier}, of which the index has no wheel for "
                    f"free-threaded Python {python}"
                )
    return None
