"""What a release, or a commit, of a project says of itself."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.bump.releases import Release
from snakedev.config.model import Config
from snakedev.config.repos import GitPin, ReleasePin
from snakedev.environments.requirements import marker_environment
from snakedev.fetch.archive import unpack
from snakedev.fetch.download import fetch_pin
from snakedev.fetch.index_pages import PackageIndex
from snakedev.fetch.mirror import ensure_commit, look_up, refs_of
from snakedev.reports.compat.availability import judge, versions
from snakedev.sources.source import write_commit
from snakedev.sources.source_facts import file_requirements
from snakedev.store.layout import Layout
from snakedev.store.publish import scratch_in

# What setuptools-scm and its kin write into a release: g and the first digits of a commit.
_SAID = re.compile(r"""^__commit_id__\b.*['"]g?([0-9a-f]{7,40})['"]""", re.MULTILINE)


@dataclass(frozen=True)
class Upstream:
    """A release, or a commit, of a repo, with its files laid out."""

    place: str
    """Its version, or the branch and commit, for a reader."""
    uploaded: datetime | None
    pin: ReleasePin | GitPin
    archive: Path | None
    """The release's archive; None for a commit."""
    tree: Path
    commit: str | None
    """The commit that it is of, as far as is known here: a release may say its first digits."""

    def requirements(self, variants: Iterable[str]) -> dict[str, str]:
        """What it asks for on some variants, by canonical name; nothing where it has no such
        files."""
        found: dict[str, list[str]] = {}
        for variant in variants:
            file = Path("requirements") / f"{variant}.txt"
            if (self.tree / file).is_file():
                for _, requirement in file_requirements(self.tree, file):
                    found.setdefault(canonicalize_name(requirement.name), []).append(
                        str(requirement)
                    )
        return {name: "; ".join(dict.fromkeys(texts)) for name, texts in found.items()}


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
    archive = fetch_pin(pin, config, running)
    with scratch_in(layout.cache / "bump") as scratch:
        unpack(archive, scratch)
        yield Upstream(
            place=str(release.version),
            uploaded=release.uploaded,
            pin=pin,
            archive=archive,
            tree=scratch,
            commit=said_commit(scratch),
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
    ensure_commit(layout, repo, pinned.url, commit, pinned.submodules, running)
    with scratch_in(layout.cache / "bump") as scratch:
        tree = scratch / "tree"
        tree.mkdir()
        write_commit(layout, repo, pinned.url, commit, pinned.submodules, tree)
        yield Upstream(
            place=commit[:12] if full else f"{ref} ({commit[:12]})",
            uploaded=None,
            pin=pinned.model_copy(update={"commit": commit}),
            archive=None,
            tree=tree,
            commit=commit,
        )


def said_commit(tree: Path) -> str | None:
    """The commit, or its first digits, that a release's own version file names."""
    for file in sorted(tree.glob("*/_version.py")):
        if match := _SAID.search(file.read_text(encoding="utf-8", errors="replace")):
            return match[1]
    return None


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


def lacking_torch(upstream: Upstream, config: Config, index: PackageIndex) -> str | None:
    """Why a release cannot run here: no wheel of the torch that it asks for; None where one is."""
    python = config.interpreter.version
    environment = marker_environment(python)
    for variant in config.configured_variants():
        file = Path("requirements") / f"{variant}.txt"
        if variant == "rocm" or not (upstream.tree / file).is_file():
            continue
        for _, asked in file_requirements(upstream.tree, file):
            if asked.name != "torch" or (asked.marker and not asked.marker.evaluate(environment)):
                continue
            page = index.pages(["torch"])["torch"]
            # 2.11.0 also matches 2.11.0+cpu, which not every index has
            wanted = SpecifierSet(",".join(str(s).partition("+")[0] for s in asked.specifier))
            fitting = [v for v in versions(page) if wanted.contains(v, prereleases=True)]
            if not any(judge(page, str(v), python).installable for v in fitting):
                return (
                    f"it asks for torch{wanted}, of which the index has no wheel for free-threaded "
                    f"Python {python}"
                )
    return None
