"""The plan: which artifacts a configuration asks for, each with its spec and so its key.

It is computed from config.yaml, patches/, envs/ and results/machine.json alone: no network, no
subprocess for each repo. Every answer is computed when it is first asked for and kept. It stands
in layers, each handed the one before: sources, what is buildable, wheels, reports.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from snakedev.config.model import Config
from snakedev.machine.compilers import VARIABLES, launcher
from snakedev.machine.probe import Machine
from snakedev.plan.buildable import Buildable
from snakedev.plan.images import Images
from snakedev.plan.reports import Reports
from snakedev.plan.requests import Requests
from snakedev.plan.sources import Sources
from snakedev.plan.upstream_tests import TestRuns
from snakedev.plan.wheels import Wheels
from snakedev.store.artifacts import Artifacts
from snakedev.store.spec import Spec


class Plan:
    """What one configuration asks for. All paths are relative to the working folder."""

    def __init__(
        self,
        config: Config,
        artifacts: Artifacts,
        project: Path,
        *,
        run: str = "",
        machine: Machine | None = None,
        elsewhere: bool = False,
    ):
        """``run`` names the run that the plan is for; ``machine`` stands for this one;
        ``elsewhere`` says that jobs run on other machines."""
        self.sources = Sources(config, artifacts, project)
        self.config, self.artifacts, self.project = self.sources.config, artifacts, project
        self.layout = artifacts.layout
        self.buildable = Buildable(self.sources, machine, elsewhere=elsewhere)
        self.wheels = Wheels(self.buildable)
        self.reports = Reports(self.wheels, run)
        self.tests = TestRuns(self.wheels)
        self.requests = Requests(self.buildable)
        self.images = Images(self.wheels)

    def reached(self) -> Iterator[Path]:
        """The keyed folders, made or not, of everything that the configuration asks for."""
        if self.config.work:
            # what is there for a run without work folders stays
            usual = self.config.model_copy(update={"work": ()})
            machine = self.buildable.machine
            yield from Plan(usual, self.artifacts, self.project, machine=machine).reached()
        reports, buildable = self.reports, self.buildable
        specs: list[Spec] = []
        for run in filter(buildable.runs_somewhere, self.config.smoke.variants):
            specs += [reports.gil(run)]
            specs += [reports.smoke(run, name) for name in self.config.smoke.models]
        models = {*self.config.smoke.models, *filter(None, [reports.bench_model])}
        specs += map(reports.model, models)
        specs += map(self.wheels.run_environment, self.config.configured_variants())
        specs += [*self.images.planned(), *self.tests.planned()]
        for repo in buildable.repos:
            specs += [self.sources.source(repo), *filter(None, [self.sources.crates(repo)])]
        for repo in buildable.wheel_repos():
            for variant in buildable.variants_of(repo):
                wheel = self.wheels.wheel(repo, variant)
                specs += [wheel, self.wheels.build_environment(wheel.environment_name)]
                yield self.layout.build(variant, repo) / wheel.tree_key
        if reports.stock and (stock := reports.stock.specs()):
            specs += stock
            wheel = reports.stock.wheel
            yield self.layout.build(wheel.variant, wheel.repo) / wheel.tree_key
        yield from map(self.layout.folder, specs)

    def reached_paths(self) -> list[str]:
        """The paths of `reached`."""
        return [str(folder) for folder in self.reached()]

    def announce(self) -> None:
        """Say on the terminal what comes from work folders, what is left out, and why."""
        for kind, variable in VARIABLES.items():
            if before := launcher(kind):
                print(
                    f"{variable}: {before} is left out: builds start compilers by themselves, and "
                    f"ccache where there is one (build.compiler_cache)",
                    file=sys.stderr,
                )
        for repo in self.config.work:
            print(f"{repo} is taken from work/{repo} as it stands", file=sys.stderr)
        for repo, reason in self.buildable.left_out.items():
            print(f"warning: {repo} is left out: {reason}", file=sys.stderr)
        for variant, reason in self.buildable.skipped.items():
            print(f"no smoke run of {variant}: {reason}", file=sys.stderr)
