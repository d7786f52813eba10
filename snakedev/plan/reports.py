"""What is run and reported on: models, inference runs, and what the reports show."""

import hashlib
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.config.fields import Origin
from snakedev.config.repos import GitPin, ReleasePin
from snakedev.plan.stock import Stock
from snakedev.plan.wheels import Wheels
from snakedev.recipes.registry import RECIPE_NUMBERS
from snakedev.sources import patch_file
from snakedev.store.spec import digest
from snakedev.store.specs import (
    BenchPin,
    BenchSpec,
    EnvironmentSpec,
    GilSpec,
    ModelSpec,
    PatchTrialSpec,
    SmokeSpec,
)


class Reports:
    """The runs that a configuration asks for, and the views of what came of them.

    What must be done anew each time (a benchmark, a look at a ref that can move) has the name of
    the run in the place of a key.
    """

    def __init__(self, wheels: Wheels, run: str):
        """``run`` is the name of the run that the plan is for."""
        self.wheels, self.buildable, self.sources = wheels, wheels.buildable, wheels.sources
        self.config, self.artifacts, self._run = wheels.config, wheels.artifacts, run
        self._layout = self.artifacts.layout

    @cache
    def model(self, name: str) -> ModelSpec:
        """A configured model."""
        return ModelSpec(
            name=name, model=self.config.models[name], recipe_number=RECIPE_NUMBERS["model"]
        )

    @cache
    def smoke(self, variant: str, model_name: str) -> SmokeSpec:
        """The smoke run of a variant with a model."""
        settings = self.config.smoke
        run = self.wheels.run_environment(variant)
        return SmokeSpec(
            variant=variant,
            model=model_name,
            environment_name=run.name,
            environment_key=run.key,
            model_key=self.model(model_name).key,
            max_tokens=settings.max_tokens,
            prompts=settings.prompts,
            throughput=settings.throughput,
            recipe_number=RECIPE_NUMBERS["smoke"],
            gil_forced=variant in settings.force_gil_off,
            work=self._work_of(run),
        )

    def smokes(self) -> tuple[SmokeSpec, ...]:
        """All smoke runs that the configuration asks for."""
        return tuple(
            self.smoke(variant, name)
            for variant in self.buildable.runnable
            for name in self.config.smoke.models
        )

    def _work_of(self, run: EnvironmentSpec) -> dict[str, str]:
        """The tree ids of the work folders that a run environment runs from."""
        return (
            {repo: seen.tree for repo, seen in self.sources.work.items()} if run.from_work else {}
        )

    def ran_with(self, repo: str) -> tuple[list[str], list[str]]:
        """What was run with a repo's wheel as it is: the records of smoke runs, and the names of
        the environments; nothing where the plan does not get as far."""
        try:
            runs = {v: self.wheels.run_environment(v) for v in self.buildable.runnable}
            with_it = [v for v, run in runs.items() if repo in {wheel.repo for wheel in run.wheels}]
            smokes = [s for s in self.smokes() if s.variant in with_it and self.artifacts.stands(s)]
        except UserError:
            return [], []
        names = [self._layout.folder(runs[variant]).name for variant in with_it]
        return [str(self.artifacts.record(spec)) for spec in smokes], names

    def smokes_key(self) -> str:
        """One key for all smoke runs together: that of the report and the verdict."""
        return digest([spec.key for spec in self.smokes()])

    def smoke_page_key(self) -> str:
        """One key for all that the smoke report shows."""
        return digest(
            [self.smokes_key(), dict(self.buildable.left_out), dict(self.buildable.skipped)]
        )

    @cache
    def gil(self, variant: str) -> GilSpec:
        """The look at what turns the GIL on in the run environment of a variant."""
        run = self.wheels.run_environment(variant)
        return GilSpec(
            variant=variant,
            environment_name=run.name,
            environment_key=run.key,
            recipe_number=RECIPE_NUMBERS["gil"],
            patches={wheel.repo: self.sources.source(wheel.repo).patches for wheel in run.wheels},
            work=self._work_of(run),
        )

    def gils(self) -> tuple[GilSpec, ...]:
        """Those of the variants that the GIL report is about."""
        return tuple(map(self.gil, self.buildable.runnable))

    def gil_page_key(self) -> str:
        """One key for all that the GIL report shows."""
        return digest([[spec.key for spec in self.gils()], dict(self.buildable.skipped)])

    @cache
    def bench(self, variant: str) -> BenchSpec:
        """The benchmark run of a variant."""
        settings, run = self.config.bench_report, self.wheels.run_environment(variant)
        model = self.bench_model
        if model is None:
            raise UserError("config.yaml: bench_report.model: smoke.models is empty: name a model")
        if not self.config.smoke.variants:
            raise UserError("config.yaml: smoke.variants: name one, whose environment makes models")
        repos = {wheel.repo: self.config.repos[wheel.repo] for wheel in run.wheels}
        return BenchSpec(
            variant=variant,
            environment_name=run.name,
            environment_key=run.key,
            model=model,
            model_key=self.model(model).key,
            settings=settings,
            stock=self.stock.measured_input(variant) if self.stock else None,
            version=repos["vllm"].version if "vllm" in repos else "",
            pins={
                name: BenchPin(
                    version=repo.version,
                    source_key=self.sources.source(name).key,
                    patches=len(self.sources.source(name).patches),
                )
                for name, repo in repos.items()
            },
            work=self._work_of(run),
        )

    @cached_property
    def stock(self) -> Stock | None:
        """The stock wheel, where the configuration asks for one that is built here."""
        built = self.config.bench_report.stock == "built"
        return Stock(self.sources, self.buildable) if built else None

    def stock_stamps(self, variant: str) -> list[Path]:
        """What a benchmark run waits for besides its environment and model."""
        return [self.artifacts.stamp(self.stock.measured(variant))] if self.stock else []

    @property
    def bench_model(self) -> str | None:
        """The model of benchmark runs; None where the configuration names none."""
        return self.config.bench_report.model or next(iter(self.config.smoke.models), None)

    @cached_property
    def bench_variants(self) -> tuple[str, ...]:
        """The variants of benchmark runs that this machine can run; raises UserError for none."""
        reasons = {v: self.buildable.cannot_run(v) for v in self.config.bench_report.variants}
        able = tuple(variant for variant, reason in reasons.items() if reason is None)
        if not able:
            lines = [f"no benchmark run of {variant}: {why}" for variant, why in reasons.items()]
            raise UserError("\n".join(lines))
        return able

    def bench_run(self, variant: str) -> Path:
        """Where Snakemake sees a variant's benchmark run: each run of the workflow makes one."""
        return self._layout.view(f"bench-{variant}", self._run)

    def bench_runs(self) -> list[Path]:
        """Those of all variants; raises UserError where there is nothing to measure, or nothing to
        measure it with."""
        return [self.bench_run(self.bench(variant).variant) for variant in self.bench_variants]

    @cached_property
    def patch_trials(self) -> tuple[PatchTrialSpec, ...]:
        """What the patch report tries: each repo's series on the pin that the run uses, if it has
        one, then on the refs asked for."""
        return tuple(
            trial
            for repo in filter(self.config.has_pin, self.config.repos)
            for trial in self._trials_of(repo)
        )

    def _trials_of(self, repo: str) -> Iterator[PatchTrialSpec]:
        """Each trial has the series for the origin of what it is on, whatever the run's is."""
        pinned = self.sources.pinned_source(repo)
        number = RECIPE_NUMBERS["patches"]
        made_on = next(iter(self.sources.made_on(repo)), None)
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
                written_for=made_on,
                written_for_key=made_on and made_on.key,
                recipe_number=number,
            )
        for ref in dict.fromkeys(self.config.patch_report.refs.get(repo, ())):
            yield self._trial_on(repo, ref)

    def _trial_on(self, repo: str, ref: str) -> PatchTrialSpec:
        """A trial on a ref: with what may be a version, on that release first."""
        entry, on_git = self.config.repos[repo], None
        source = next(iter(self.sources.made_on(repo)), self.sources.pinned_source(repo))

        def trial(origin: Origin, pin: GitPin | ReleasePin, **more: object) -> PatchTrialSpec:
            series = patch_file.series(self.sources.project / "patches" / repo, origin)
            return PatchTrialSpec.model_validate(
                {
                    "repo": repo,
                    "origin": origin,
                    "pin": pin,
                    "pin_identity": {"ref": ref},
                    "patches": series,
                    "patch_files": _digests(series),
                    "written_for": source,
                    "written_for_key": source.key,
                    "recipe_number": RECIPE_NUMBERS["patches"],
                    "ref": ref,
                    **more,
                }
            )

        if entry.git is not None:
            files = entry.version_files
            on_git = trial("git", entry.git, version=entry.version, version_files=files)
            on_git = on_git if on_git.moves else on_git.at(ref)
        if entry.release is not None and entry.may_release(ref):
            return trial("release", entry.release, version=ref, otherwise=on_git)
        assert on_git is not None  # the configuration's check has made sure
        return on_git

    def patch_trial_stamps(self) -> list[Path]:
        """Their records; a ref that can move is looked up again by each run."""
        stamps = []
        for trial in self.patch_trials:
            self.artifacts.spec_file(trial)
            if trial.moves:
                view = f"{trial.kind}/{trial.place}/{trial.key}"
                stamps.append(self._layout.view(view, self._run))
            else:
                stamps.append(self._layout.stamp(trial.kind, trial.place, trial.key))
        return stamps

    def patch_page_key(self) -> str:
        """One key for all that the patch report shows."""
        shown: list[object] = [[trial.key, trial.ref] for trial in self.patch_trials]
        moves = any(trial.moves for trial in self.patch_trials)
        return digest([*shown, self._run] if moves else shown)

    def smoke_view(self) -> Path:
        """Where Snakemake sees that the smoke report shows the current runs."""
        return self._page("smoke", self.smoke_page_key())

    def gil_view(self) -> Path:
        """Where Snakemake sees that the GIL report shows the current trials."""
        return self._page("gil", self.gil_page_key())

    def patch_view(self) -> Path:
        """Where Snakemake sees that the patch report shows the current trials."""
        return self._page("patches", self.patch_page_key())

    def _page(self, name: str, key: str) -> Path:
        files = (self._layout.reports / f"{name}.{kind}" for kind in ("html", "csv", "json"))
        return self.artifacts.view(name, key, *files)


def _digests(series: tuple[Path, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in series)
