"""The plan: which artifacts a configuration asks for, each with its spec and so its key.

It is computed from config.yaml, patches/, envs/ and results/machine.json alone: no network, no
subprocess for each repo. Every answer is computed when it is first asked for and kept.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from packaging.version import Version

from snakedev.base.errors import UserError
from snakedev.base.records import write_text
from snakedev.config.model import Config
from snakedev.environments import locks
from snakedev.environments.cuda_toolkit import toolkit_version
from snakedev.fetch import debian
from snakedev.fetch.indexes import public_address
from snakedev.machine import preflight
from snakedev.machine.gpu_architectures import runs_on
from snakedev.machine.probe import Machine, probe
from snakedev.plan import patch_plan
from snakedev.recipes.recipe import ANY, Recipe, Target, architectures
from snakedev.recipes.registry import RECIPE_NUMBERS, RECIPES
from snakedev.sources import patch_file
from snakedev.sources.crates import registry_problem
from snakedev.store.layout import WORK_PREFIX, Layout
from snakedev.store.spec import Spec, digest
from snakedev.store.specs import (
    BenchPin,
    BenchSpec,
    CratesSpec,
    EnvironmentSpec,
    GilSpec,
    KernelsInput,
    ModelSpec,
    PatchTrialSpec,
    SmokeSpec,
    SourceSpec,
    WheelInput,
    WheelSpec,
)
from snakedev.wheels import kernel_patches
from snakedev.wheels.upstream_kernels import BorrowedKernels, KernelsRecord, refuse_lacking

if TYPE_CHECKING:
    from snakedev.workbench.edit import WorkFolder
    from snakedev.workbench.snapshot import Snapshot

# Variables of the user's environment that builds see; they are part of the key.
_PASSED = ("CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "CMAKE_ARGS")
# The record that a whole artifact of each kind holds.
_RECORDS = {
    "source": "source.json",
    "crates": "crates.json",
    "environment": "env.json",
    "wheel": "wheel.json",
    "model": "model.json",
    "smoke": "smoke.json",
    "gil": "gil.json",
}


class Plan:
    """What one configuration asks for. All paths are relative to the working folder."""

    def __init__(self, config: Config, layout: Layout, project: Path):
        self.config, self.layout, self.project = config, layout, project

    @cached_property
    def machine(self) -> Machine:
        """This machine's probe, from its cache where that holds."""
        return probe(self.layout.machine)

    @property
    def interpreter(self) -> dict[str, str]:
        """What of the interpreter enters keys: whoever provides it, its ABI is the same."""
        wanted = self.config.interpreter
        identity = {"version": wanted.version, "abiflags": "t"}
        return identity | ({"sanitizer": wanted.sanitizer} if wanted.sanitizer else {})

    def recipe(self, repo: str) -> Recipe:
        """A repo's recipe."""
        return RECIPES[self.config.repos[repo].recipe]

    def variant_of(self, repo: str, variant: str) -> str:
        """The variant that a repo's wheel is labelled with in an environment of `variant`."""
        return variant if self.recipe(repo).per_variant else ANY

    def require(self) -> None:
        """Raise UserError with all that this machine lacks for the required repos."""
        required = [n for n, r in self.config.repos.items() if r.enabled and r.required]
        tools = [tool for name in required for tool in self._tools(name)]
        # the kernels of upstream's wheel for CPUs bind memory to NUMA nodes
        libraries = ["libnuma"] if self.config.borrowed("cpu") else []
        if lines := preflight.missing(self.machine, tools, libraries):
            raise UserError("\n".join(lines))

    @cached_property
    def left_out(self) -> Mapping[str, str]:
        """Enabled repos that cannot be built here, with the reason; never required ones.

        Where crates must still be fetched, the crate registry is asked whether it answers.
        """
        missing = {}
        for name, repo in self.config.repos.items():
            if not repo.enabled or repo.required:
                continue
            if lacks := [tool for tool in self._tools(name) if tool not in self.machine.tools]:
                missing[name] = f"this machine has no {' and no '.join(lacks)}"
            elif (lack := debian.lacking()) and (need := self._to_fetch_from_debian(name)):
                missing[name] = f"it needs {need}'s source from Debian, and here is no {lack}"
            elif (crates := self.crates(name)) and not self.stands(crates):
                if problem := self._registry_problem:
                    missing[name] = f"the crate registry does not answer ({problem})"
        return MappingProxyType(missing)

    @cached_property
    def _registry_problem(self) -> str | None:
        return registry_problem(self.machine)

    def _to_fetch_from_debian(self, repo: str) -> str | None:
        """A repo of `build_needs` whose source is not there yet, and comes from Debian."""
        for need in self.config.repos[repo].build_needs:
            if not self.config.has_pin(need):
                continue
            source = self.source(need)
            if getattr(source.pin, "kind", None) == "debian" and not self.stands(source):
                return need
        return None

    def _tools(self, repo: str) -> tuple[str, ...]:
        """The compilers that a repo's build uses."""
        tools = self.recipe(repo).tools
        return (*tools, "cargo") if "rustc" in tools else tools

    @cached_property
    def repos(self) -> tuple[str, ...]:
        """The repos that are used: those that give wheels, and what their builds need."""
        used: list[str] = []
        for name in self.wheel_repos():
            used.append(name)
            for variant in self._variants(name):
                used += self._build_needs(name, variant)
        return tuple(dict.fromkeys(used))

    def _build_needs(self, repo: str, variant: str) -> tuple[str, ...]:
        """The repos whose sources a repo's build for a variant sees: what it needs to build, and
        what they need in turn."""
        skipped = self._without(repo, variant)
        found: dict[str, None] = {}

        def use(name: str) -> None:
            for need in self.config.repos[name].build_needs:
                if need not in skipped and need not in found:
                    found[need] = None
                    use(need)

        use(repo)
        return tuple(found)

    def _variants(self, repo: str) -> tuple[str, ...]:
        configured = self.config.configured_variants()
        return configured if self.recipe(repo).per_variant else (ANY,)

    def _without(self, repo: str, variant: str) -> Mapping[str, str | None]:
        """What of a repo's `build_needs` a variant's build does without, and why."""
        return self.recipe(repo).left_out(self._target(repo, variant))

    def _target(self, repo: str, variant: str) -> Target:
        cuda = self._cuda if variant == "cuda" else None
        return Target(repo, variant, self.config, self.machine, cuda)

    def _check_variant(self, variant: str) -> None:
        """Raise UserError where a variant's toolkit, GPU architectures or kernels do not fit."""
        if variant == "cuda":
            _ = self._cuda
        asked = self.asked(variant)
        if found := self._found_kernels(variant):
            refuse_lacking(found, variant, asked)

    def asked(self, variant: str) -> tuple[str, ...]:
        """The GPU architectures, or instruction sets of the CPU, that a variant is for."""
        return architectures(variant, self.config, self.machine)

    def _found_kernels(self, variant: str) -> BorrowedKernels | None:
        """What there is in the wheel that a variant takes its kernels from, as far as known."""
        if self.config.borrowed(variant) is None:
            return None
        stamp = self.kernels_stamp(variant)
        if stamp.is_file():
            return KernelsRecord.read(stamp).kernels
        # somebody else may have built it; a work folder's wheel is of this machine
        built = None if self.config.work else self._record(self.wheel("vllm", variant))
        if built is None or not built.is_file():
            return None
        return BorrowedKernels.model_validate(json.loads(built.read_bytes())["borrowed"])

    def kernel_wheel_stamp(self, variant: str) -> Path:
        """The stamp of the download of that wheel."""
        pin = self.config.borrowed(variant)
        assert pin is not None
        return self.layout.stamp("kernel-wheel", variant, digest(pin.model_dump()))

    def kernels_stamp(self, variant: str) -> Path:
        """The stamp of a look into the wheel that a variant takes its kernels from."""
        kernels = self._kernels(variant)
        assert kernels is not None
        return self.layout.stamp("kernels", variant, digest(kernels.model_dump()))

    def _kernels(self, variant: str) -> KernelsInput | None:
        """What of the wheel that a variant takes its kernels from enters keys."""
        pin, number = self.config.borrowed(variant), RECIPE_NUMBERS["kernels"]
        return KernelsInput(sha256=pin.sha256, recipe_number=number) if pin else None

    def _check_kernel_patches(self, behind: tuple[str, str]) -> None:
        """Raise UserError for patches that kernels which are not compiled here would lack."""
        variant, repo = behind
        series = patch_file.series(self.project / "patches" / repo, self.config.origin_of(repo))
        shown = ((os.path.relpath(path, self.project), path.read_bytes()) for path in series)
        if lines := [*kernel_patches.problems(variant, repo, shown)]:
            raise UserError("\n".join(lines))

    @cached_property
    def _cuda(self) -> Version:
        """The CUDA version of torch and the toolkit; raises UserError where they differ."""
        assert self.config.variants.cuda is not None
        lock = self.project / "envs/build-cuda.lock"
        return toolkit_version(self.config.variants.cuda.toolkit, locks.lock_pins(lock), lock)

    def wheel_repos(self) -> tuple[str, ...]:
        """The repos that give wheels: enabled and buildable here."""
        return tuple(
            name
            for name, repo in self.config.repos.items()
            if repo.enabled and name not in self.left_out and self.recipe(name).environment
        )

    @cached_property
    def _work(self) -> Mapping[str, "Snapshot"]:
        """The work folders that the run builds from, as they stand."""
        if not self.config.work:
            return {}
        # imported only here: Git takes its time
        from snakedev.workbench import snapshot
        from snakedev.workbench.edit import WorkFolder

        found, problems = {}, []
        for repo in self.config.work:
            try:
                work = WorkFolder(self.work_folder(repo), repo)
                work.refuse_session()
                work.refuse_other_pin(self.pinned_source(repo))
                self._refuse_kernel_edits(repo, work)
                found[repo] = snapshot.snapshot(work, self.layout)
            except UserError as error:
                problems.append(str(error))
        if problems:
            raise UserError("\n".join(problems))
        return found

    def _refuse_kernel_edits(self, repo: str, work: "WorkFolder") -> None:
        """Raise UserError for what a work folder changes of kernels that are not compiled here."""
        variants = [v for v, name in kernel_patches.behind(self.config) if name == repo]
        if not variants:
            return
        commits = [(f"{work}: {patch.name}", patch.data) for patch in work.patches]
        edited = work.uncommitted()
        lines: list[str] = []
        for variant in variants:
            lines += kernel_patches.problems(variant, repo, commits)
            lines += kernel_patches.edit_problems(variant, repo, str(work), edited)
        if lines:
            raise UserError("\n".join(lines))

    def require_work(self) -> None:
        """Raise UserError for every work folder that the run cannot build from."""
        _ = self._work

    def require_inputs(self, *, with_locks: bool) -> None:
        """Raise UserError for every patch series and lock that no plan can be made from."""
        names = {f"run-{variant}" for variant in self.config.configured_variants()}
        for repo, entry in self.config.repos.items():
            if entry.enabled and (environment := self.recipe(repo).environment):
                names |= {environment.format(variant=v) for v in self._variants(repo)}
        problems = []
        for check, arguments in (
            (self._check_kernel_patches, kernel_patches.behind(self.config)),
            (self._check_variant, self.config.configured_variants() if with_locks else ()),
            (self.pinned_source, filter(self.config.has_pin, self.config.repos)),
            (self._check_lock, sorted(names) if with_locks else ()),
        ):
            for argument in arguments:
                try:
                    check(argument)
                except UserError as error:
                    problems.append(str(error))
        if problems:
            raise UserError("\n".join(dict.fromkeys(problems)))

    @cache
    def source(self, repo: str) -> SourceSpec:
        """The source of a repo under the origin that the run uses, or its work folder."""
        pinned = self.pinned_source(repo)
        if repo not in self.config.work:
            return pinned
        found = self._work[repo]
        outside = {"patches": (), "patch_bodies": (), "version_files": {}}
        return pinned.model_copy(update=outside | {"work": found.compiled, "work_tree": found.tree})

    @cache
    def pinned_source(self, repo: str) -> SourceSpec:
        """The source of a repo as config.yaml and patches/ describe it."""
        entry, origin = self.config.repos[repo], self.config.origin_of(repo)
        pin = self.config.pin_of(repo)
        identity = pin.model_dump(exclude={"url", "suite"} if origin == "git" else {"suite"})
        series = patch_file.series(self.project / "patches" / repo, origin)
        return SourceSpec(
            repo=repo,
            origin=origin,
            pin=pin,
            pin_identity=identity,
            version=entry.version,
            version_files=entry.version_files if origin == "git" else {},
            recipe_number=RECIPE_NUMBERS["source"],
            patches=series,
            patch_bodies=tuple(patch_file.body_digest(path) for path in series),
        )

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
            source_key=f"{WORK_PREFIX}{self._work[repo].crates}",
            subdirectory=subdirectory,
            recipe_number=number,
            read_from=source.key,
        )

    @cache
    def build_environment(self, name: str) -> EnvironmentSpec:
        """A locked environment that wheels are built in."""
        return self._environment(name, ())

    @cache
    def run_environment(self, variant: str) -> EnvironmentSpec:
        """The environment that runs a variant: its lock, and the wheels built here."""
        wheels = tuple(
            WheelInput(repo=name, variant=label, key=self.wheel(name, label).key)
            for name in self.wheel_repos()
            if (label := self.variant_of(name, variant))
        )
        return self._environment(f"run-{variant}", wheels)

    def _environment(self, name: str, wheels: tuple[WheelInput, ...]) -> EnvironmentSpec:
        folder, torch_index = self.project / "envs", self._check_lock(name)
        return EnvironmentSpec(
            name=name,
            lock=folder / f"{name}.lock",
            lock_digest=locks.lock_digest(folder / f"{name}.lock"),
            interpreter=self.interpreter,
            wheels=wheels,
            torch_index=torch_index,
            recipe_number=RECIPE_NUMBERS["environment"],
        )

    @cache
    def _check_lock(self, name: str) -> str | None:
        """Check that a lock fits its inputs; returns the index that its torch comes from."""
        torch = self.config.torch_index(name)
        torch_index = public_address(torch) if torch else None
        locks.check_lock(self.project / "envs", name, torch_index)
        return torch_index

    @cache
    def wheel(self, repo: str, variant: str) -> WheelSpec:
        """A repo's wheel for a variant (or for `any`)."""
        recipe, entry = self.recipe(repo), self.config.repos[repo]
        assert recipe.environment is not None
        build = self.build_environment(recipe.environment.format(variant=variant))
        source, crates = self.source(repo), self.crates(repo)
        target, kernels = self._target(repo, variant), None
        if repo == "vllm":
            kernels = self._kernels(variant)
        return WheelSpec(
            repo=repo,
            variant=variant,
            version=target.version,
            recipe=entry.recipe,
            recipe_number=recipe.number,
            source_key=source.key,
            subdirectory=source.pin.subdirectory,
            interpreter=self.interpreter,
            environment_key=build.key,
            environment_name=build.name,
            compilers={tool: self.machine.tools[tool].identity for tool in recipe.tools}
            | {"libc": self.machine.libc}
            | ({"cuda": str(self._cuda)} if variant == "cuda" else {}),
            settings=recipe.settings(target),
            passed={name: os.environ[name] for name in _PASSED if os.environ.get(name)},
            needs={need: self.source(need).key for need in self._build_needs(repo, variant)},
            kernels=kernels,
            architectures=() if kernels else target.architectures,
            toolkit=target.toolkit,
            without={repo: why for repo, why in self._without(repo, variant).items() if why},
            crates_key=crates.key if crates else None,
            origin=source.origin,
        )

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
        run = self.run_environment(variant)
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

    def _work_of(self, run: EnvironmentSpec) -> dict[str, str]:
        """The tree ids of the work folders that a run environment runs from."""
        return {repo: found.tree for repo, found in self._work.items()} if run.from_work else {}

    def smokes(self) -> tuple[SmokeSpec, ...]:
        """All smoke runs that the configuration asks for."""
        return tuple(
            self.smoke(variant, name)
            for variant in self.runnable
            for name in self.config.smoke.models
        )

    @cache
    def gil(self, variant: str) -> GilSpec:
        """The look at what turns the GIL on in the run environment of a variant."""
        run = self.run_environment(variant)
        return GilSpec(
            variant=variant,
            environment_name=run.name,
            environment_key=run.key,
            recipe_number=RECIPE_NUMBERS["gil"],
            patches={wheel.repo: self.source(wheel.repo).patches for wheel in run.wheels},
            work=self._work_of(run),
        )

    def gils(self) -> tuple[GilSpec, ...]:
        """Those of the variants that the GIL report is about."""
        return tuple(map(self.gil, self.runnable))

    @cache
    def bench(self, variant: str) -> BenchSpec:
        """The benchmark run of a variant."""
        settings, run = self.config.bench_report, self.run_environment(variant)
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
            version=repos["vllm"].version if "vllm" in repos else "",
            pins={
                name: BenchPin(
                    version=repo.version,
                    source_key=self.source(name).key,
                    patches=len(self.source(name).patches),
                )
                for name, repo in repos.items()
            },
            work=self._work_of(run),
        )

    @property
    def bench_model(self) -> str | None:
        """The model of benchmark runs; None where the configuration names none."""
        return self.config.bench_report.model or next(iter(self.config.smoke.models), None)

    @cached_property
    def bench_variants(self) -> tuple[str, ...]:
        """The variants of benchmark runs that this machine can run; raises UserError for none."""
        reasons = {v: self._cannot_run(v) for v in self.config.bench_report.variants}
        able = tuple(variant for variant, reason in reasons.items() if reason is None)
        if not able:
            lines = [f"no benchmark run of {variant}: {why}" for variant, why in reasons.items()]
            raise UserError("\n".join(lines))
        return able

    def bench_run(self, variant: str) -> Path:
        """Where Snakemake sees the benchmark run of a variant: a copy of its record."""
        return self.layout.bench_records / f"latest-{variant}.json"

    @cache
    def bench_page(self) -> Path:
        """The record of the benchmark report; each run that asks for it measures anew.

        Raises UserError where there is nothing to measure, or nothing to measure it with.
        """
        path = self.layout.reports / "bench.json"
        runs = [self.bench_run(self.bench(variant).variant) for variant in self.bench_variants]
        for made in (path, *runs):
            made.unlink(missing_ok=True)
        return path

    @cached_property
    def skipped(self) -> Mapping[str, str]:
        """The variants of smoke runs that this machine cannot run, with the reason."""
        found = {}
        for variant in self.config.smoke.variants:
            if reason := self._cannot_run(variant):
                found[variant] = reason
        return MappingProxyType(found)

    def _cannot_run(self, variant: str) -> str | None:
        if variant == "cpu":
            return None
        vendor, name = {"cuda": ("nvidia", "NVIDIA"), "rocm": ("amd", "AMD")}[variant]
        gpus = [gpu for gpu in self.machine.gpus if gpu.vendor == vendor]
        if not gpus:
            return f"this machine has no {name} GPU that answers"
        asked = self.asked(variant)
        if any(runs_on(asked, gpu.architecture) for gpu in gpus):
            return None
        there = ", ".join(f"{gpu.name} ({gpu.architecture})" for gpu in gpus)
        how = "checked" if self.config.borrowed(variant) else "built"
        return f"it is {how} for {', '.join(asked)}, and this machine has {there}"

    @property
    def runnable(self) -> tuple[str, ...]:
        """The variants of smoke runs that this machine can run."""
        return tuple(v for v in self.config.smoke.variants if v not in self.skipped)

    def shown_variants(self) -> tuple[str, ...]:
        """The variants of the wheelhouse: those that run here, and those that are built."""
        return tuple(
            variant
            for variant in self.config.configured_variants()
            if self._cannot_run(variant) is None
            or all(
                self.stands(self.wheel(w.repo, w.variant))
                for w in self.run_environment(variant).wheels
            )
        )

    def smokes_key(self) -> str:
        """One key for all smoke runs together: that of the report and the verdict."""
        return digest([spec.key for spec in self.smokes()])

    def pin_key(self, repo: str) -> str:
        """What names a repo's pin among its downloads or mirrored commits."""
        return digest(self.config.pin_of(repo).model_dump(mode="json"))

    def environment_of(self, name: str, key: str) -> EnvironmentSpec:
        """The planned environment of a name and key; raises KeyError for one that is not."""
        running = name.startswith("run-")
        spec = (
            self.run_environment(name.removeprefix("run-"))
            if running
            else self.build_environment(name)
        )
        if spec.key != key:
            raise KeyError(f"{name}-{key}")
        return spec

    def run_python(self, variant: str) -> Path:
        """The interpreter of a variant's run environment."""
        spec = self.run_environment(variant)
        return self.layout.environment(spec.name, spec.key) / "bin" / "python"

    def stamp(self, spec: Spec) -> Path:
        """Where Snakemake sees a keyed artifact; its spec is written down on the way.

        A smoke run that failed is as good as none, so that it runs again.
        """
        self.written(spec)
        stamp = self.layout.stamp(spec.kind, _name(spec), spec.key)
        return _settled(stamp, self._record(spec), self.stands(spec))

    def written(self, spec: Spec) -> Path:
        """The file that hands a spec to its job, written here where it is not there yet."""
        path = self.layout.spec(spec.kind, _name(spec), spec.key)
        text = spec.model_dump_json(indent=2) + "\n"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
        return path

    def editable(self) -> dict[str, dict[str, str]]:
        """The work folders that give wheels, and the sources that these are built from."""
        return {
            repo: {
                "source": str(self.layout.source(repo, self.source(repo).key) / "tree"),
                "folder": str(self.work_folder(repo)),
            }
            for repo in self.config.work
            if repo in self.wheel_repos()
        }

    def work_folder(self, repo: str) -> Path:
        """The checkout in which a repo's series is edited."""
        return self.project / "work" / repo

    def interpreter_stamp(self) -> Path:
        """The stamp of the interpreter that the configuration asks for."""
        wanted = self.config.interpreter
        stamp = self.layout.stamp("interpreter", "python", digest(wanted.model_dump(mode="json")))
        path = self.layout.interpreter / "interpreter.json"
        if not (path.is_file() and self.layout.python.exists()):
            return _settled(stamp, path, False)
        record = json.loads(path.read_bytes())
        version = record["version"].startswith(f"{wanted.version}.")
        provider = wanted.provider in ("auto", record["provider"])
        found = wanted.path is None or record["executable"] == str(wanted.path.resolve())
        if wanted.from_source and wanted.git is not None:
            found = record.get("ref") == wanted.git.ref
        return _settled(stamp, path, version and provider and found)

    def view(self, path: Path, key: str) -> Path:
        """The record of a view, which names the key of what it shows; dropped when that differs."""
        if path.is_file() and json.loads(path.read_bytes())["key"] != key:
            path.unlink()
        return path

    def wheelhouse_view(self, variant: str) -> Path:
        """The record of a variant's wheelhouse."""
        path = self.layout.wheelhouse(variant) / "wheelhouse.json"
        return self.view(path, self.wheelhouse_key(variant))

    def wheelhouse_key(self, variant: str) -> str:
        """One key for all wheels of a variant."""
        return digest([wheel.key for wheel in self.run_environment(variant).wheels])

    def smoke_page(self) -> Path:
        """The record of the smoke report."""
        return self.view(self.layout.reports / "smoke.json", self.smoke_page_key())

    def smoke_page_key(self) -> str:
        """One key for all that the smoke report shows."""
        return digest([self.smokes_key(), dict(self.left_out), dict(self.skipped)])

    def gil_page(self) -> Path:
        """The record of the GIL report."""
        return self.view(self.layout.reports / "gil.json", self.gil_page_key())

    def gil_page_key(self) -> str:
        """One key for all that the GIL report shows."""
        return digest([[spec.key for spec in self.gils()], dict(self.skipped)])

    @cached_property
    def patch_trials(self) -> tuple[PatchTrialSpec, ...]:
        """What the patch report tries."""
        return tuple(patch_plan.trials(self.config, self.project / "patches", self.pinned_source))

    @cached_property
    def patch_trial_stamps(self) -> tuple[Path, ...]:
        """Their records; one on a ref that can move is dropped, and so the ref is looked up again.

        Each is dropped once in a process, never behind the job that has just written it.
        """
        stamps = []
        for trial in self.patch_trials:
            self.written(trial)
            stamps.append(self.layout.stamp(trial.kind, trial.repo, trial.key))
            if trial.moves:
                stamps[-1].unlink(missing_ok=True)
        return tuple(stamps)

    @cache
    def patch_page(self) -> Path:
        """The record of the patch report; with refs that can move, it is written each time."""
        path = self.view(self.layout.reports / "patches.json", self.patch_page_key())
        if any(trial.moves for trial in self.patch_trials):
            path.unlink(missing_ok=True)
        return path

    def patch_page_key(self) -> str:
        """One key for all that the patch report shows."""
        return digest([[trial.key, trial.ref] for trial in self.patch_trials])

    @cache
    def compat_page(self) -> Path:
        """The record of the compatibility report; an index changes, so it is written each time."""
        path = self.layout.reports / "compat.json"
        path.unlink(missing_ok=True)
        return path

    def vllm_parts(self) -> dict[str, str | None]:
        """The repos that are only part of other builds: None where a wheel of vLLM takes one in,
        else why none does."""
        needs = self.config.repos["vllm"].build_needs
        parts = {name for name in needs if self.recipe(name).environment is None}
        found: dict[str, str | None] = dict.fromkeys(parts, "no configured variant takes it in")
        wheels = [self.wheel("vllm", variant) for variant in self.config.configured_variants()]
        for wheel in wheels:
            found |= {repo: why for repo, why in wheel.without.items() if repo in parts}
        return found | dict.fromkeys(need for wheel in wheels for need in wheel.needs)

    def reached(self) -> Iterator[Path]:
        """The keyed folders, made or not, of everything that the configuration asks for."""
        if self.config.work:
            # what is there for a run without work folders stays
            usual = self.config.model_copy(update={"work": ()})
            yield from Plan(usual, self.layout, self.project).reached()
        specs: list[Spec] = [*self.smokes(), *self.gils()]
        models = {*self.config.smoke.models, *filter(None, [self.bench_model])}
        specs += [self.model(name) for name in models]
        specs += [self.run_environment(variant) for variant in self.config.configured_variants()]
        for repo in self.repos:
            specs += [self.source(repo), *filter(None, [self.crates(repo)])]
        for repo in self.wheel_repos():
            for variant in self._variants(repo):
                wheel = self.wheel(repo, variant)
                specs += [wheel, self.build_environment(wheel.environment_name)]
                yield self.layout.build(variant, repo) / wheel.tree_key
        yield from map(self._folder, specs)

    def stands(self, spec: Spec) -> bool:
        """Whether a keyed artifact is there; a smoke run that failed is as good as none."""
        record = self._record(spec)
        if not record.is_file():
            return False
        return spec.kind != "smoke" or json.loads(record.read_bytes())["passed"]

    def _record(self, spec: Spec) -> Path:
        """The record that a keyed artifact holds when it is whole."""
        return self._folder(spec) / _RECORDS[spec.kind]

    def _folder(self, spec: Spec) -> Path:
        """Where a keyed artifact lies."""
        match spec:
            case SourceSpec():
                return self.layout.source(spec.repo, spec.key)
            case CratesSpec():
                return self.layout.crates(spec.repo, spec.key)
            case EnvironmentSpec():
                return self.layout.environment(spec.name, spec.key)
            case WheelSpec():
                return self.layout.wheel(spec.variant, spec.repo, spec.key)
            case ModelSpec():
                return self.layout.model(spec.name, spec.key)
            case SmokeSpec():
                return self.layout.smoke(spec.variant, spec.model, spec.key)
            case GilSpec():
                return self.layout.gil(spec.variant, spec.key)
        raise TypeError(type(spec))

    def built_versions(self) -> dict[str, str]:
        """The versions of the repos that give wheels."""
        return {name: self.config.repos[name].version for name in self.wheel_repos()}

    def requirements_stamp(self, variant: str) -> Path:
        """The check of vLLM's requirements against a variant's locks."""
        folder = self.project / "envs"
        key = digest(
            {
                "source": self.source("vllm").key,
                "locks": [
                    locks.lock_digest(folder / f"{name}-{variant}.lock")
                    for name in ("build", "run")
                ],
                "exclusions": (folder / "exclusions.yaml").read_text(encoding="utf-8"),
                "python": self.config.interpreter.version,
                "built": self.built_versions(),
                "left_out": dict(self.left_out),
            }
        )
        return self.layout.stamp("requirements", variant, key)

    def announce(self) -> None:
        """Say on the terminal what comes from work folders, what is left out, and why."""
        for repo in self.config.work:
            print(f"{repo} is taken from work/{repo} as it stands", file=sys.stderr)
        for repo, reason in self.left_out.items():
            print(f"warning: {repo} is left out: {reason}", file=sys.stderr)
        for variant, reason in self.skipped.items():
            print(f"no smoke run of {variant}: {reason}", file=sys.stderr)


def _settled(stamp: Path, record: Path, stands: bool) -> Path:
    """Have a stamp exactly where what it stands for is there, whoever made that, and return it.

    A stamp is a copy of a record. It has the key in its name, so that a dry run of another
    configuration leaves the present one's as it is.
    """
    if not stands:
        stamp.unlink(missing_ok=True)
    elif not stamp.is_file():
        write_text(stamp, record.read_text(encoding="utf-8"))
    return stamp


def _name(spec: Spec) -> str:
    """The folder that a spec and a stamp lie in, under their kind."""
    match spec:
        case WheelSpec() | SmokeSpec():
            return f"{spec.variant}/{spec.repo if isinstance(spec, WheelSpec) else spec.model}"
        case EnvironmentSpec() | ModelSpec():
            return spec.name
        case SourceSpec() | CratesSpec() | PatchTrialSpec():
            return spec.repo
        case GilSpec() | BenchSpec():
            return spec.variant
    raise TypeError(type(spec))
