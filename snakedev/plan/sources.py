"""The ground of a plan: the interpreter, and each repo's source, under one configuration."""

import json
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, get_args

from snakedev.base.errors import UserError
from snakedev.config import external
from snakedev.config.external import known_facts, with_external_projects
from snakedev.config.fields import Origin
from snakedev.config.model import Config
from snakedev.config.repos import GitPin
from snakedev.config.source_facts import SourceFacts, SourceIdentity, read_facts
from snakedev.fetch.indexes import public_address
from snakedev.recipes.recipe import Recipe
from snakedev.recipes.registry import RECIPE_NUMBERS, RECIPES
from snakedev.sources import patch_file
from snakedev.sources.series_pin import SeriesPin, read_pins
from snakedev.store.artifacts import Artifacts
from snakedev.store.source_specs import CratesSpec, SourceSpec
from snakedev.store.spec import WORK_PREFIX, digest

if TYPE_CHECKING:
    from snakedev.workbench.folder import WorkFolder
    from snakedev.workbench.snapshot import Snapshot


class Sources:
    """What a run's interpreter and sources are."""

    def __init__(self, config: Config, artifacts: Artifacts, project: Path):
        """``project`` holds patches/, envs/ and work/."""
        self.config = with_external_projects(config, project / "envs")
        self.artifacts, self.project = artifacts, project
        self.layout = artifacts.layout

    @property
    def interpreter(self) -> dict[str, str]:
        """What of the interpreter enters keys: whoever provides it, its ABI is the same."""
        wanted = self.config.interpreter
        identity = {"version": wanted.version, "abiflags": "t"}
        return identity | ({"sanitizer": wanted.sanitizer} if wanted.sanitizer else {})

    def interpreter_stamp(self) -> Path:
        """The stamp of the interpreter that the configuration asks for."""
        wanted = self.config.interpreter
        stamp = self.layout.stamp("interpreter", "python", digest(wanted.model_dump(mode="json")))
        path = self.layout.interpreter / "interpreter.json"
        if not (path.is_file() and self.layout.python.exists()):
            return self.artifacts.settled(stamp, path, False)
        record = json.loads(path.read_bytes())
        version = record["version"].startswith(f"{wanted.version}.")
        provider = wanted.provider in ("auto", record["provider"])
        same = wanted.path is None or record["executable"] == str(wanted.path.resolve())
        if wanted.from_source and wanted.git is not None:
            same = record.get("ref") == wanted.git.ref
        return self.artifacts.settled(stamp, path, version and provider and same)

    def recipe(self, repo: str) -> Recipe:
        """A repo's recipe."""
        return RECIPES[self.config.repos[repo].recipe]

    @cache
    def pinned_source(self, repo: str) -> SourceSpec:
        """The source of a repo as config.yaml and patches/ describe it."""
        entry, origin = self.config.repos[repo], self.config.origin_of(repo)
        version_files = entry.version_files if origin == "git" else {}
        pin = SeriesPin(
            version=entry.version, version_files=version_files, pin=self.config.pin_of(repo)
        )
        return self._source_on(repo, origin, pin)

    def _source_on(self, repo: str, origin: Origin, on: SeriesPin) -> SourceSpec:
        """A repo's series, as an origin has it, on a pin."""
        pin = on.pin
        identity = pin.model_dump(exclude={"url", "suite"} if origin == "git" else {"suite"})
        series = patch_file.series(self.project / "patches" / repo, origin)
        return SourceSpec(
            repo=repo,
            origin=origin,
            pin=pin,
            pin_identity=identity,
            version=on.version,
            version_files=on.version_files,
            recipe_number=RECIPE_NUMBERS["source"],
            patches=series,
            patch_bodies=tuple(patch_file.body_digest(path) for path in series),
        )

    def with_facts(self) -> list[str]:
        """The repos of whose sources the plan has to know something."""
        return [r for r, e in self.config.repos.items() if RECIPES[e.recipe].facts]

    @cache
    def facts(self, repo: str) -> SourceFacts:
        """What is known of the source that a repo's pin names, of those of `with_facts`.

        Raises UserError where nothing is, or it is known of another pin only.
        """
        folder, origin = self.project / "envs", self.config.origin_of(repo)
        return read_facts(folder, self.identity(repo), origin)

    def require_facts(self, repo: str) -> None:
        """Raise UserError where what is known of a repo's source is not of its pin, or asks for
        what configuration and recipe do not have."""
        facts, told_of = self.facts(repo), self.recipe(repo).told_of
        lines = [f"config.yaml: {line}" for line in external.problems(self.config, facts)]
        lines += [
            f"envs/{repo}.source.json: tags: {repo} {facts.version} takes in {name} ({tag}), whose "
            f"folder its build is not told of: describe it under repos, name it in "
            f"repos.{repo}.build_needs, and hand it over where the recipe does with others "
            f"({', '.join(told_of)})"
            for name, tag in facts.tags.items()
            if name not in told_of
        ]
        if lines:
            raise UserError("\n".join(lines))

    @cache
    def known(self, repo: str) -> SourceFacts | None:
        """What is known of a repo's source, of those of `with_facts`, be it of its pin or not."""
        return known_facts(self.project / "envs", repo) if self.recipe(repo).facts else None

    def identity(self, repo: str) -> SourceIdentity:
        """The source that a repo's pin names."""
        entry, origin = self.config.repos[repo], self.config.origin_of(repo)
        return SourceIdentity.pinned(repo, entry, origin)

    def facts_stamp(self, repo: str) -> Path:
        """The stamp of a comparison of that with the source."""
        known = self.facts(repo).model_dump(mode="json")
        return self.layout.stamp("facts", repo, digest([self.pin_key(repo), known]))

    @cache
    def made_on(self, repo: str) -> tuple[SourceSpec, ...]:
        """The sources that a repo's series was made on, that of the run's origin first.

        None where it was made on the pin that the run uses, or does not say.
        """
        pinned = self.pinned_source(repo)
        known = read_pins(self.project / "patches" / repo)
        sources = {origin: self._source_on(repo, origin, known[origin]) for origin in known}
        own = sources.pop(pinned.origin, None)
        if own is not None and own.key == pinned.key:
            return ()
        found = [*filter(None, [own]), *sources.values()]
        return tuple(map(self._with_address, found))

    def _with_address(self, source: SourceSpec) -> SourceSpec:
        """A source whose repository is asked as config.yaml has it: with the password, if any."""
        pin, known = source.pin, self.config.repos[source.repo].git
        if isinstance(pin, GitPin) and known is not None and public_address(known.url) == pin.url:
            pin = pin.model_copy(update={"url": known.url})
        return source.model_copy(update={"pin": pin})

    @cache
    def source(self, repo: str) -> SourceSpec:
        """The source of a repo under the origin that the run uses, or its work folder."""
        pinned = self.pinned_source(repo)
        if repo not in self.config.work:
            return pinned
        seen = self.work[repo]
        outside: dict[str, object] = {"patches": (), "patch_bodies": (), "version_files": {}}
        return pinned.model_copy(update=outside | {"work": seen.compiled, "work_tree": seen.tree})

    @cache
    def crates(self, repo: str) -> CratesSpec | None:
        """The crates that a repo's build needs; None for one without Rust."""
        if "rustc" not in self.recipe(repo).tools:
            return None
        source = self.source(repo)
        subdirectory, number = source.pin.subdirectory, RECIPE_NUMBERS["crates"]
        if source.work is None:
            return CratesSpec(
                repo=repo,
                source_key=source.key,
                subdirectory=subdirectory,
                recipe_number=number,
            )
        return CratesSpec(
            repo=repo,
            source_key=f"{WORK_PREFIX}{self.work[repo].crates}",
            subdirectory=subdirectory,
            recipe_number=number,
            read_from=source.key,
        )

    @cached_property
    def patched(self) -> tuple[str, ...]:
        """The repos that have patches, for whichever origin."""
        folder = self.project / "patches"
        return tuple(
            repo
            for repo in filter(self.config.has_pin, self.config.repos)
            if any(patch_file.series(folder / repo, origin) for origin in get_args(Origin))
        )

    def pin_key(self, repo: str) -> str:
        """What names a repo's pin among its downloads or mirrored commits."""
        return digest(self.config.pin_of(repo).model_dump(mode="json"))

    @cached_property
    def work(self) -> Mapping[str, "Snapshot"]:
        """The work folders that the run builds from, as they stand.

        Raises UserError with a line for each that nothing can be built from.
        """
        if not self.config.work:
            return {}
        # imported only here: Git takes its time
        from snakedev.workbench import snapshot

        snapshots, problems = {}, []
        for repo in self.config.work:
            try:
                work = self.opened_work_folder(repo)
                work.refuse_session()
                work.refuse_other_pin(self.pinned_source(repo))
                snapshots[repo] = snapshot.snapshot(work, self.layout)
            except UserError as error:
                problems.append(str(error))
        if problems:
            raise UserError("\n".join(problems))
        return MappingProxyType(snapshots)

    def opened_work_folder(self, repo: str) -> "WorkFolder":
        """The checkout in which a repo's series is edited, looked into."""
        from snakedev.workbench.folder import WorkFolder

        return WorkFolder(self.work_folder(repo), repo)

    def work_folder(self, repo: str) -> Path:
        """The checkout in which a repo's series is edited."""
        return self.project / "work" / repo
