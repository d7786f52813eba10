"""The wheels and environments of a plan."""

import json
import os
from functools import cache
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.environments import locks
from snakedev.environments.exclusions import FILE as EXCLUSIONS_FILE
from snakedev.environments.exclusions import Exclusions, read_exclusions
from snakedev.fetch.indexes import public_address
from snakedev.plan.buildable import Buildable
from snakedev.recipes.registry import RECIPE_NUMBERS, borrowed_layout
from snakedev.store.spec import digest
from snakedev.store.specs import EnvironmentSpec, KernelsInput, WheelInput, WheelSpec
from snakedev.wheels.upstream_kernels import BorrowedKernels, KernelsRecord
from snakedev.wheels.variables import PASSED


class Wheels:
    """Each wheel with what it is built from and in, and the environments that hold wheels."""

    def __init__(self, buildable: Buildable):
        self.buildable, self.sources = buildable, buildable.sources
        self.config, self.artifacts = self.sources.config, self.sources.artifacts
        self._layout, self._locks = self.artifacts.layout, self.sources.project / "envs"

    @cache
    def wheel(self, repo: str, variant: str) -> WheelSpec:
        """A repo's wheel for a variant (or for `any`)."""
        recipe, entry = self.sources.recipe(repo), self.config.repos[repo]
        assert recipe.environment is not None
        build = self.build_environment(recipe.environment.format(variant=variant))
        source, crates = self.sources.source(repo), self.sources.crates(repo)
        target = self.buildable.target(repo, variant)
        kernels = self._kernels(variant) if target.borrows_kernels else None
        return WheelSpec(
            repo=repo,
            variant=variant,
            version=target.version + (f"+{recipe.label}" if recipe.label else ""),
            recipe=entry.recipe,
            recipe_number=recipe.number,
            source_key=source.key,
            subdirectory=source.pin.subdirectory,
            interpreter=self.sources.interpreter,
            environment_key=build.key,
            environment_name=build.name,
            compilers=self.buildable.compilers(repo, variant),
            settings=recipe.settings(target),
            passed={name: os.environ[name] for name in PASSED if os.environ.get(name)},
            needs={
                need: self.sources.source(need).key
                for need in self.buildable.build_needs(repo, variant)
            },
            kernels=kernels,
            excluded=self._excluded(repo, variant),
            declared=entry.declared,
            architectures=() if kernels else target.architectures,
            toolkit=target.toolkit,
            without={
                repo: why for repo, why in self.buildable.without(repo, variant).items() if why
            },
            crates_key=crates.key if crates else None,
        )

    def _excluded(self, repo: str, variant: str) -> dict[str, str | None]:
        """What a repo's wheel has in an extra, or not at all, since the locks leave it out."""
        known = self.sources.recipe(repo).facts
        asked = self.sources.facts(repo).requirements.get(variant, ()) if known else ()
        return self._exclusions(variant).of_wheel(repo, asked)

    @cache
    def _exclusions(self, variant: str) -> Exclusions:
        """What locks leave out; raises UserError for an asking repo that there is not."""
        found = read_exclusions(self._locks, f"run-{variant}")
        for name, one in found.all.items():
            if strangers := sorted({*one.asked_by} - self.config.repos.keys()):
                raise UserError(
                    f"{self._locks / EXCLUSIONS_FILE}: {name}: asked_by: {strangers[0]!r} is no "
                    "repo of config.yaml"
                )
        return found

    @cache
    def build_environment(self, name: str) -> EnvironmentSpec:
        """A locked environment that wheels are built in."""
        return self._environment(name, ())

    @cache
    def run_environment(self, variant: str) -> EnvironmentSpec:
        """The environment that runs a variant: its lock, and the wheels built here."""
        return self._environment(f"run-{variant}", self._wheels_of(variant))

    @cache
    def test_environment(self, variant: str) -> EnvironmentSpec:
        """The environment that upstream's tests of a variant run in: the packages of its run
        environment, what the tests need besides, and the wheels built here."""
        return self._environment(f"test-{variant}", self._wheels_of(variant))

    def _wheels_of(self, variant: str) -> tuple[WheelInput, ...]:
        """The wheels built here that serve a variant."""
        return tuple(
            WheelInput(repo=name, variant=label, key=self.wheel(name, label).key)
            for name in self.buildable.wheel_repos(variant)
            if (label := self.buildable.variant_of(name, variant))
        )

    def _environment(self, name: str, wheels: tuple[WheelInput, ...]) -> EnvironmentSpec:
        lock, torch_index = self._locks / f"{name}.lock", self.check_lock(name)
        base = locks.LOCKS[name].base
        base_lock = self._locks / f"{base}.lock" if base else None
        return EnvironmentSpec(
            name=name,
            lock=lock,
            base_lock=base_lock,
            purpose=locks.LOCKS[name].purpose,
            variant=locks.LOCKS[name].variant,
            lock_digest=locks.lock_digest(*filter(None, [base_lock]), lock),
            interpreter=self.sources.interpreter,
            wheels=wheels,
            torch_index=torch_index,
            recipe_number=RECIPE_NUMBERS["environment"],
        )

    @cache
    def check_lock(self, name: str) -> str | None:
        """Check that a lock fits its inputs; returns the index that its torch comes from."""
        torch = self.config.torch_index(locks.LOCKS[name].variant)
        torch_index = public_address(torch) if torch else None
        locks.check_lock(self._locks, name, torch_index)
        return torch_index

    def environment_of(self, name: str, key: str) -> EnvironmentSpec:
        """The planned environment of a name and key; raises KeyError for one that is not."""
        lock = locks.LOCKS[name]
        if lock.purpose == "build":
            spec = self.build_environment(name)
        elif lock.purpose == "test":
            spec = self.test_environment(lock.variant)
        else:
            spec = self.run_environment(lock.variant)
        if spec.key != key:
            raise KeyError(f"{name}-{key}")
        return spec

    def run_python(self, variant: str) -> Path:
        """The interpreter of a variant's run environment."""
        spec = self.run_environment(variant)
        return self._layout.environment(spec.name, spec.key) / "bin" / "python"

    def editable(self) -> dict[str, dict[str, str]]:
        """The work folders that give wheels, and the sources that these are built from."""
        return {
            repo: {
                "source": str(self._layout.source(repo, self.sources.source(repo).key) / "tree"),
                "folder": str(self.sources.work_folder(repo)),
            }
            for repo in self.config.work
            if repo in self.buildable.wheel_repos()
        }

    def built_versions(self, variant: str) -> dict[str, str]:
        """The versions of the repos that give a variant's wheels."""
        repos = self.buildable.wheel_repos(variant)
        return {name: self.config.repos[name].version for name in repos}

    def requirements_stamp(self, variant: str) -> Path:
        """The check of vLLM's requirements against a variant's locks."""
        key = digest(
            {
                "source": self.sources.source("vllm").key,
                "locks": [
                    locks.lock_digest(self._locks / f"{name}-{variant}.lock")
                    for name in ("build", "run")
                ],
                "exclusions": (self._locks / "exclusions.yaml").read_text(encoding="utf-8"),
                "python": self.config.interpreter.version,
                "built": self.built_versions(variant),
                "left_out": dict(self.buildable.left_out),
            }
        )
        return self._layout.stamp("requirements", variant, key)

    def _kernels(self, variant: str) -> KernelsInput | None:
        """What of the wheel that a variant takes its kernels from enters keys."""
        pin, number = self.config.borrowed(variant), RECIPE_NUMBERS["kernels"]
        return KernelsInput(sha256=pin.sha256, recipe_number=number) if pin else None

    def kernels_stamp(self, variant: str) -> Path:
        """The stamp of a look into the wheel that a variant takes its kernels from."""
        kernels = self._kernels(variant)
        assert kernels is not None
        return self._layout.stamp("kernels", variant, digest(kernels.model_dump()))

    def kernel_wheel_stamp(self, variant: str) -> Path:
        """The stamp of the download of that wheel."""
        pin = self.config.borrowed(variant)
        assert pin is not None
        return self._layout.stamp("kernel-wheel", variant, digest(pin.model_dump()))

    def own_kernels(self, variant: str) -> tuple[str, ...]:
        """The libraries of the kernels that a variant takes from a wheel which nothing works
        without."""
        borrower, layout = self.config.borrower(variant), borrowed_layout(self.config, variant)
        facts = self.sources.known(borrower) if borrower else None
        return layout.own_kernels(facts, variant) if layout and facts else ()

    def known_kernels(self, variant: str) -> BorrowedKernels | None:
        """What there is in the wheel that a variant takes its kernels from, as far as known."""
        if (borrower := self.config.borrower(variant)) is None:
            return None
        stamp = self.kernels_stamp(variant)
        if stamp.is_file():
            return KernelsRecord.read(stamp).kernels
        # somebody else may have built it; a work folder's wheel is of this machine
        built = None if self.config.work else self.artifacts.record(self.wheel(borrower, variant))
        if built is None or not built.is_file():
            return None
        return BorrowedKernels.model_validate(json.loads(built.read_bytes())["borrowed"])

    def vllm_parts(self) -> dict[str, str | None]:
        """The repos that are only part of other builds: None where a wheel of vLLM takes one in,
        else why none does."""
        needs = self.config.repos["vllm"].build_needs
        parts = {name for name in needs if self.sources.recipe(name).environment is None}
        found: dict[str, str | None] = dict.fromkeys(parts, "no configured variant takes it in")
        variants = self.config.configured_variants()
        for variant in variants:
            without = self.buildable.without("vllm", variant)
            found |= {repo: why for repo, why in without.items() if why and repo in parts}
        used = [need for v in variants for need in self.buildable.build_needs("vllm", v)]
        return found | dict.fromkeys(used)

    def wheelhouse_key(self, variant: str) -> str:
        """One key for all wheels of a variant."""
        return digest([wheel.key for wheel in self.run_environment(variant).wheels])

    def shown_variants(self) -> tuple[str, ...]:
        """The variants of the wheelhouse: those that run here, and those that are built."""
        return tuple(
            variant
            for variant in self.config.configured_variants()
            if self.buildable.cannot_run(variant) is None
            or all(
                self.artifacts.stands(self.wheel(w.repo, w.variant))
                for w in self.run_environment(variant).wheels
            )
        )

    def wheelhouse_view(self, variant: str) -> Path:
        """Where Snakemake sees that a variant's wheelhouse shows the current wheels."""
        shown = self._layout.wheelhouse(variant) / "wheelhouse.json"
        name = f"wheelhouse-{variant}"
        return self.artifacts.view(name, self.wheelhouse_key(variant), shown)
