"""What a recipe says of how a kind of repo is built.

It names the build environment, the compilers that enter the wheel's key, and the variables that its
build sees. Each recipe is the RECIPE of a module of this folder, and a line of registry.py. Raise
its ``number`` whenever the way of building changes: it is part of every key made with it. lock.py
keeps that from being forgotten. The variables enter the key by themselves, and need no other
number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snakedev.base.cpu import CPU_ISAS
from snakedev.base.text import shouted
from snakedev.machine.compilers import Gxx
from snakedev.machine.gpu_architectures import Platform, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.version import Version

    from snakedev.config.model import Config
    from snakedev.config.source_facts import SourceFacts
    from snakedev.machine.probe import Machine

_ROCM = Path("/opt/rocm")

ANY = "any"
"""The variant of a wheel without device code: built once, installed in all."""


@dataclass(frozen=True)
class Target:
    """What a repo's wheel is built for, where and with what."""

    repo: str
    variant: str
    config: Config
    machine: Machine
    cuda: Version | None
    """The CUDA version of the torch that a variant for NVIDIA GPUs is built against."""
    facts: SourceFacts | None = None
    """What is known of the repo's source, for a recipe that asks for it."""

    @property
    def version(self) -> str:
        """The version that the wheel gets; that of a variant has the variant's label."""
        version = self.config.repos[self.repo].version
        if self.variant == ANY:
            return version
        label = f"cu{self.cuda.major}{self.cuda.minor}" if self.cuda else self.variant
        return f"{version}+{label}{'.upstream' if self.borrows_kernels else ''}"

    @property
    def borrows_kernels(self) -> bool:
        """Whether the repo's kernels are taken from a finished wheel of it."""
        return self.config.borrower(self.variant) == self.repo

    @property
    def architectures(self) -> tuple[str, ...]:
        """What the variant is for; none for `any`. Raises UserError as `architectures` does."""
        if self.variant == ANY:
            return ()
        return architectures(self.variant, self.config, self.machine)

    @property
    def toolkit(self) -> Path | None:
        """The toolkit of this machine that a variant is built with; None for the environment's."""
        settings = self.config.variants
        if self.variant == "rocm":
            return (settings.rocm and settings.rocm.toolkit) or _ROCM
        return settings.cuda.toolkit if self.variant == "cuda" and settings.cuda else None


def source_variable(repo: str) -> str:
    """The variable by which a build finds the source of a repo of `build_needs`."""
    return f"SNAKEDEV_SOURCE_{shouted(repo)}"


def source_of(repo: str) -> str:
    """What a setting has in the place of that source's path."""
    return "${" + source_variable(repo) + "}"


def architectures(variant: str, config: Config, machine: Machine) -> tuple[str, ...]:
    """What a variant is for, `native` and `all` resolved: GPU architectures, or instruction sets
    of the cpu variant. Raises UserError where `native` finds no GPU."""
    settings = getattr(config.variants, variant)
    if variant == "cpu":
        return {"all": CPU_ISAS, "native": (machine.isa,)}.get(settings.isa, settings.isa)
    platform: Platform = "cuda" if variant == "cuda" else "rocm"
    return resolve(platform, settings.architectures, machine.gpus)


def _no_settings(target: Target) -> dict[str, str]:
    return {}


def _any_compiler(target: Target) -> Gxx | None:
    return None


def lacking_toolkit(variant: str, toolkit: Path | None) -> str | None:
    """What is wrong with the toolkit of this machine that a variant is built with, if anything.

    That of cuda is read where the plan is made.
    """
    if variant != "rocm" or (toolkit is not None and (toolkit / "bin" / "hipcc").is_file()):
        return None
    return (
        f"variants.rocm.toolkit: {toolkit} has no bin/hipcc, the compiler of ROCm: install ROCm "
        f"(its packages hip-dev and rocm-llvm at least), or name its folder"
    )


def _nothing_left_out(target: Target) -> dict[str, str | None]:
    return {}


@dataclass(frozen=True)
class Recipe:
    """One way of building a wheel."""

    number: int
    environment: str | None = "build-any"
    """The locked build environment, `{variant}` filled in; None for a repo that is only a source
    in another's build."""
    tools: tuple[str, ...] = ("cc", "cxx")
    """Compilers of results/machine.json whose identity enters the key."""
    per_variant: bool = False
    """Whether the repo has device code, so that each variant gets a wheel of its own."""
    gxx: Callable[[Target], Gxx | None] = _any_compiler
    """Which g++ a variant's build takes, where it asks for one."""
    facts: bool = False
    """Whether what its source says of itself stands in `envs/REPO.source.json`."""
    told_of: tuple[str, ...] = ()
    """What its source always takes in (`tags` of that file) and `settings` name the folder of."""
    heavy: bool = False
    """Whether its build takes so long that it should begin before others."""
    settings: Callable[[Target], dict[str, str]] = _no_settings
    """Variables of a variant's build; all of them enter the key."""
    repacks: bool = False
    """Whether it takes a finished wheel, and its wheel goes where a lock has that."""
    label: str = ""
    """The local label of a wheel's version, which tells it from the index's."""
    left_out: Callable[[Target], dict[str, str | None]] = _nothing_left_out
    """Repos of `build_needs` that a variant's build does without, with the reason; None for one
    that it has no use for."""


@dataclass(frozen=True)
class KernelLayout:
    """Where kernels lie in a repo and in its wheels, for `kernels: upstream`: not compiled here,
    but taken from a finished wheel of the same version."""

    in_cpus: tuple[str, ...]
    """The repos of `build_needs` that are in those of the cpu variant; the others are in those for
    GPUs."""
    sources: tuple[str, ...]
    """Beginnings of paths in the repo: what decides what is in the kernels."""
    other_sources: Mapping[str, tuple[str, ...]]
    """By variant that can take them: what of that is not in its kernels, or is compiled all the
    same; a suffix of files, or the beginning of a path."""
    compiled_here: tuple[str, ...]
    """Extensions that use more of Python than kernels do, and so are compiled all the same: paths
    in a wheel, without suffixes."""
    by_instruction_set: Mapping[str, str]
    """The library of the cpu variant for each instruction set."""
    libraries: Mapping[str, tuple[str, ...]]
    """By variant: libraries of the machine that the kernels load."""

    def parts(self, variant: str, build_needs: Iterable[str]) -> tuple[str, ...]:
        """The repos of a repo's `build_needs` that are in the kernels of a variant."""
        return tuple(n for n in build_needs if (n in self.in_cpus) == (variant == "cpu"))

    def decides(self, file: str, variant: str) -> bool:
        """Whether a file of the repo decides what is in the kernels of a variant."""
        other = self.other_sources[variant]
        return file.startswith(self.sources) and not (
            file.startswith(other) or file.endswith(tuple(s for s in other if s.startswith(".")))
        )

    def own_kernels(self, facts: SourceFacts, variant: str) -> tuple[str, ...]:
        """The libraries of a variant's kernels that are the repo's own, which nothing works
        without. Those of other projects may be for some GPUs only."""
        here = {path.rpartition("/")[2] for path in self.compiled_here}
        return tuple(name for name in facts.extensions.get(variant, ()) if name not in here)
