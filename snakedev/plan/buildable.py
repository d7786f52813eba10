"""What of the configuration this machine can build and run, and for what."""

from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from types import MappingProxyType

from packaging.utils import canonicalize_name
from packaging.version import Version

from snakedev.base.errors import UserError
from snakedev.environments import locks
from snakedev.environments.cuda_toolkit import toolkit_version
from snakedev.fetch import debian
from snakedev.machine import preflight
from snakedev.machine.compilers import Gxx
from snakedev.machine.fitness import unfit
from snakedev.machine.probe import Gpu, Machine, probe
from snakedev.plan.sources import Sources
from snakedev.recipes.recipe import ANY, Target, architectures


class Buildable:
    """Which repos and variants this machine builds, and which variants it runs."""

    def __init__(
        self, sources: Sources, machine: Machine | None = None, *, elsewhere: bool = False
    ):
        """``machine`` stands for this one, which is probed where it is first asked for;
        ``elsewhere`` says that what is built runs on other machines."""
        self.sources, self.config = sources, sources.config
        self._machine, self._elsewhere = machine, elsewhere

    @cached_property
    def machine(self) -> Machine:
        """This machine's probe, from its cache where that holds."""
        return self._machine or probe(self.sources.layout.machine)

    @cached_property
    def nodes(self) -> Machine:
        """The machine that is built for: this one, with the GPUs that the configuration names."""
        gpus = tuple(map(Gpu.named, self.config.smoke.gpus))
        return self.machine.model_copy(update={"gpus": gpus}) if gpus else self.machine

    def compilers(self, repo: str, variant: str) -> dict[str, str]:
        """The identities of what compiles or links a repo's wheel, and of what it is linked with.

        Raises UserError with all that wheels lack here, where one of them is not there.
        """
        machine = self.machine
        used = [*self.sources.recipe(repo).tools, *self._called_by_nvcc(repo, variant)]
        if any(tool not in machine.tools for tool in used):
            wheels = [(n, v) for n in self.wheel_repos() for v in self.variants_of(n)]
            tools = [tool for name, label in wheels for tool in self.tools(name, label)]
            raise UserError("\n".join(preflight.missing(machine, tools, gxx=self.gxx(wheels))))
        found = {tool: machine.tools[tool].identity for tool in used}
        cuda = {"cuda": str(self.cuda)} if variant == "cuda" else {}
        return found | {"libc": machine.libc} | cuda

    @cached_property
    def left_out(self) -> Mapping[str, str]:
        """Enabled repos that this machine lacks a tool for, and why; never required ones."""
        missing = {}
        for name, repo in self.config.repos.items():
            if not repo.enabled or repo.required:
                continue
            there = {*self.machine.tools, *self.machine.refused}
            if lacks := [tool for tool in self._tools(name) if tool not in there]:
                missing[name] = f"this machine has no {' and no '.join(lacks)}"
            elif (lack := debian.lacking()) and (need := self._to_fetch_from_debian(name)):
                missing[name] = f"it needs {need}'s source from Debian, and here is no {lack}"
        return MappingProxyType(missing)

    def _to_fetch_from_debian(self, repo: str) -> str | None:
        """A repo of `build_needs` whose source is not there yet, and comes from Debian."""
        for need in self.config.repos[repo].build_needs:
            if not self.config.has_pin(need):
                continue
            source = self.sources.source(need)
            if getattr(source.pin, "kind", None) == "debian" and not self.sources.artifacts.stands(
                source
            ):
                return need
        return None

    def _tools(self, repo: str) -> tuple[str, ...]:
        """The compilers that a repo's build uses."""
        tools = self.sources.recipe(repo).tools
        return (*tools, "cargo") if "rustc" in tools else tools

    def _called_by_nvcc(self, repo: str, variant: str) -> tuple[str, ...]:
        """The compiler that nvcc calls, where it is none that it finds by itself."""
        if variant != "cuda" or self.config.borrower(variant) == repo:
            return ()
        known = {*self.machine.tools, *self.machine.refused}
        return ("cudahostcxx",) if "cudahostcxx" in known else ()

    def tools(self, repo: str, variant: str) -> tuple[str, ...]:
        """All tools that the build of a repo's wheel starts."""
        return (*self._tools(repo), *self._called_by_nvcc(repo, variant))

    def gxx(self, wheels: Iterable[tuple[str, str]]) -> dict[str, Gxx]:
        """Which g++ the builds of wheels take, by what takes it; ``wheels``: repos and variants."""
        return {
            f"{repo} ({variant})": asked
            for repo, variant in wheels
            if (asked := self.sources.recipe(repo).gxx(self.target(repo, variant)))
        }

    def variant_of(self, repo: str, variant: str) -> str:
        """The variant that a repo's wheel is labelled with in an environment of `variant`."""
        return variant if self.sources.recipe(repo).per_variant else ANY

    def wheel_repos(self, *variants: str) -> tuple[str, ...]:
        """The repos that give wheels: enabled and buildable here, and in an environment of one of
        the variants (of any that is configured where none is named)."""
        shown = variants or self.config.configured_variants()
        return tuple(
            name
            for name, repo in self.config.repos.items()
            if repo.enabled
            and name not in self.left_out
            and self.sources.recipe(name).environment
            and any(self._holds(variant, name) for variant in shown)
        )

    def _holds(self, variant: str, repo: str) -> bool:
        """Whether a variant's environment holds a repo's wheel; one that stands for a wheel of the
        index, where the lock has that."""
        return not self.sources.recipe(repo).repacks or canonicalize_name(repo) in self._locked(
            variant
        )

    @cache
    def _locked(self, variant: str) -> Mapping[str, locks.Pin]:
        """The packages that a variant's environment takes from the index; none without a lock."""
        lock = self.sources.project / f"envs/run-{variant}.lock"
        return locks.lock_pins(lock) if lock.is_file() else {}

    def require_locked(self, repo: str) -> None:
        """Raise UserError where a lock has another version of the wheel that a repo stands for."""
        version = self.config.repos[repo].version
        for variant in self.config.configured_variants():
            locked = self._locked(variant).get(canonicalize_name(repo))
            if self.sources.recipe(repo).repacks and locked and str(locked.version) != version:
                raise UserError(
                    f"config.yaml: repos.{repo}.version: {version} would stand for {repo} "
                    f"{locked.version} of envs/run-{variant}.lock: name the wheel of that version "
                    f"and what of it is `declared`, or set repos.{repo}.enabled: false"
                )

    @cached_property
    def repos(self) -> tuple[str, ...]:
        """The repos that are used: those that give wheels, and what their builds need."""
        used: list[str] = []
        for name in self.wheel_repos():
            used.append(name)
            for variant in self.variants_of(name):
                used += self.build_needs(name, variant)
        return tuple(dict.fromkeys(used))

    def build_needs(self, repo: str, variant: str) -> tuple[str, ...]:
        """The repos whose sources a repo's build for a variant sees: what it needs to build, and
        what they need in turn."""
        skipped = self.without(repo, variant)
        used: dict[str, None] = {}

        def use(name: str) -> None:
            for need in self.config.repos[name].build_needs:
                if need not in skipped and need not in used:
                    used[need] = None
                    use(need)

        use(repo)
        return tuple(used)

    def variants_of(self, repo: str) -> tuple[str, ...]:
        """The variants that a repo's wheel is built for."""
        configured = self.config.configured_variants()
        return configured if self.sources.recipe(repo).per_variant else (ANY,)

    def without(self, repo: str, variant: str) -> Mapping[str, str | None]:
        """What of a repo's `build_needs` a variant's build does without, and why."""
        return self.sources.recipe(repo).left_out(self.target(repo, variant))

    def target(self, repo: str, variant: str) -> Target:
        """What a repo's wheel is built for; raises UserError for a toolkit that does not fit."""
        cuda = self.cuda if variant == "cuda" else None
        return Target(repo, variant, self.config, self.nodes, cuda, self.sources.known(repo))

    @cached_property
    def cuda(self) -> Version:
        """The CUDA version of torch and the toolkit; raises UserError where they differ."""
        assert self.config.variants.cuda is not None
        lock = self.sources.project / "envs/build-cuda.lock"
        return toolkit_version(self.config.variants.cuda.toolkit, locks.lock_pins(lock), lock)

    def built_for(self, variant: str) -> tuple[str, ...]:
        """The GPU architectures, or instruction sets of the CPU, that a variant is for."""
        return architectures(variant, self.config, self.nodes)

    @cached_property
    def skipped(self) -> Mapping[str, str]:
        """The variants of smoke runs that cannot be run, with the reason."""
        reasons = {variant: self.cannot_run(variant) for variant in self.config.smoke.variants}
        return MappingProxyType({variant: why for variant, why in reasons.items() if why})

    @property
    def runnable(self) -> tuple[str, ...]:
        """The variants of smoke runs that can be run."""
        return tuple(v for v in self.config.smoke.variants if v not in self.skipped)

    def cannot_run(self, variant: str) -> str | None:
        """Why a variant cannot be run where it would be; None where it can."""
        known, machine = None, self.machine
        if self._elsewhere:
            known = "smoke.gpus names no {name} GPU of the machines that jobs run on"
            if self.config.smoke.gpus:
                machine = self.nodes
        how = "checked" if self.config.borrowed(variant) else "built"
        return unfit(machine, variant, lambda: self.built_for(variant), how=how, without=known)

    def runs_somewhere(self, variant: str) -> bool:
        """Whether this machine can run a variant, or those that the configuration describes."""
        both = (self.machine, self.nodes)
        return any(unfit(m, variant, lambda: self.built_for(variant)) is None for m in both)
