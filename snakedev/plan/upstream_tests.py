"""What is run of upstream's own tests: for each repo a run in each column, and the page."""

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from packaging.utils import canonicalize_name

from snakedev.base.errors import UserError
from snakedev.config.fields import Variant
from snakedev.config.upstream_tests import Column, Entry, UpstreamTests
from snakedev.environments.locks import lock_pins
from snakedev.plan.wheels import Wheels
from snakedev.recipes.registry import RECIPE_NUMBERS
from snakedev.store.spec import digest
from snakedev.store.specs import EnvironmentSpec
from snakedev.store.tests_spec import TestsSpec

KNOWN = Path("docs/findings/test-differences.yaml")
"""Which tests are known to fail here, and why, in the project's folder."""


class TestRuns:
    """The runs of upstream's tests that a configuration asks for."""

    def __init__(self, wheels: Wheels):
        self.wheels, self.config, self.artifacts = wheels, wheels.config, wheels.artifacts
        self.known = wheels.sources.project / KNOWN

    @cache
    def repos(self, variant: str) -> tuple[str, ...]:
        """The repos whose tests are run: those that have some, and whose wheel a variant's
        environment has, built here or as the lock has it.

        Raises UserError for one that is asked for and is not among them.
        """
        there = {wheel.repo for wheel in self.wheels.test_environment(variant).wheels}
        there |= self._locked(variant)
        able = tuple(repo for repo in self.config.repos if repo in there and self._chosen(repo))
        asked = self.config.test_report.repos
        for repo in asked:
            if repo not in able:
                why = "no repo of config.yaml"
                if repo in self.config.repos:
                    tests = self.config.repos[repo].tests
                    why = f"without tests: describe repos.{repo}.tests"
                    if tests:
                        why = f"neither built nor, in its version, in envs/run-{variant}.lock"
                raise UserError(f"config.yaml: test_report.repos: {repo!r} is {why}")
        return tuple(repo for repo in able if repo in asked or not asked)

    def _locked(self, variant: str) -> set[str]:
        """The repos whose wheels a variant's lock has, of the versions that config.yaml says."""
        environment = self.wheels.test_environment(variant)
        pins = lock_pins(environment.base_lock or environment.lock)
        versions = {name: repo.version for name, repo in self.config.repos.items()}
        return {
            name
            for name, version in versions.items()
            if (pin := pins.get(canonicalize_name(name))) and str(pin.version) == version
        }

    @cache
    def runs(self) -> tuple[TestsSpec, ...]:
        """All runs, column by column; raises UserError where there is none."""
        wanted = self.config.test_report
        buildable = self.wheels.buildable
        reasons = {variant: buildable.cannot_run(variant) for variant in wanted.variants}
        able = [variant for variant, reason in reasons.items() if reason is None]
        runs = tuple(
            self._run(variant, repo, column)
            for column in wanted.columns
            for variant in able
            for repo in self.repos(variant)
        )
        if not runs:
            lines = [f"test_report: no tests of {v}: {why}" for v, why in reasons.items() if why]
            raise UserError(
                "\n".join(lines)
                or f"config.yaml: no repo that is built has tests for `{wanted.tests}`: describe "
                "repos.NAME.tests"
            )
        return runs

    def planned(self) -> Iterator[TestsSpec | EnvironmentSpec]:
        """The runs, and the environments of the wheels built here, as far as they can be made."""
        try:
            runs = self.runs()
        except UserError:
            return
        yield from runs
        yield from map(self.wheels.test_environment, {run.variant for run in runs})

    def ran_of(self, repo: str) -> list[str]:
        """The records of a repo's runs, as far as they are there."""
        runs = (run for run in self.planned() if isinstance(run, TestsSpec) and run.repo == repo)
        return [str(self.artifacts.record(run)) for run in runs if self.artifacts.stands(run)]

    def _chosen(self, repo: str) -> tuple[Entry, ...]:
        """What of a repo's tests is run."""
        tests = self.config.repos[repo].tests
        if tests is None:
            return ()
        return tests.quick if self.config.test_report.tests == "quick" else tests.paths

    def _suite(self, repo: str, variant: str, column: Column) -> UpstreamTests:
        """A repo's tests as one column runs them."""
        tests, wanted = self.config.repos[repo].tests, self.config.test_report
        assert tests is not None
        lacking = {
            "hub": None if wanted.hub else "it asks the model hub (test_report.hub)",
            "gpu": None if variant != "cpu" else "it needs a GPU",
            "minutes": None if wanted.tests == "full" else "it takes minutes (test_report.tests)",
        }
        without = {path: why for path, need in tests.needs.items() if (why := lacking[need])}
        in_threads = tests.not_in_threads if column == "threads" else {}
        left_out = {**tests.left_out, **without, **in_threads}
        given: dict[str, object] = {"paths": self._chosen(repo), "left_out": left_out}
        given |= {"quick": (), "needs": {}, "not_in_threads": {}}
        if wanted.hub:
            given |= {"hub": {}, "variables": {"HF_HUB_OFFLINE": "0", **tests.variables}}
        return tests.model_copy(update=given)

    def _run(self, variant: Variant, repo: str, column: Column) -> TestsSpec:
        source, wanted = self.wheels.sources.source(repo), self.config.test_report
        environment = self.wheels.test_environment(variant)
        versions = {name: described.version for name, described in self.config.repos.items()}
        built = {wheel.repo: versions[wheel.repo] for wheel in environment.wheels}
        stock = {
            **built,
            "lock": environment.lock_digest,
            "python": wanted.python or "{}.{}".format(*sys.version_info),
        }
        ours = column != "stock"
        return TestsSpec(
            variant=variant,
            repo=repo,
            column=column,
            version=versions[repo],
            source_key=source.key,
            subdirectory=source.pin.subdirectory,
            suite=self._suite(repo, variant, column),
            threads=wanted.threads if column == "threads" else 1,
            environment_key=environment.key if ours else None,
            environment_name=environment.name,
            stock={} if ours else stock,
            locks=(*filter(None, [environment.base_lock]), environment.lock),
            built=built,
            recipe_number=RECIPE_NUMBERS["tests"],
            work={name: seen.tree for name, seen in self.wheels.sources.work.items()}
            if ours and environment.from_work
            else {},
        )

    def run(self, variant: str, repo: str, column: str) -> TestsSpec:
        """One of the runs."""
        wanted = (variant, repo, column)
        return next(one for one in self.runs() if (one.variant, one.repo, one.column) == wanted)

    def view(self) -> Path:
        """Where Snakemake sees that the report shows the current runs."""
        known = self.known.read_text(encoding="utf-8") if self.known.is_file() else ""
        key = digest([[run.key for run in self.runs()], known])
        reports = self.artifacts.layout.reports
        files = (reports / f"tests.{kind}" for kind in ("html", "csv", "json"))
        return self.artifacts.view("tests", key, *files)
