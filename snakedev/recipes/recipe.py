"""How each kind of repo is built.

A recipe names the build environment, the compilers that enter the wheel's key, and the variables
that its build sees. Raise a recipe's ``number`` whenever the way of building changes: it is part
of every key made with it. snakedev/recipes/lock.py keeps that from being forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.version import Version

    from snakedev.config.model import Config
    from snakedev.machine.probe import Machine

ANY = "any"
"""The variant of a wheel without device code: built once, installed in all."""


@dataclass(frozen=True)
class Target:
    """What a wheel is built for, where and with what."""

    variant: str
    config: Config
    machine: Machine
    cuda: Version | None
    """The CUDA version of the torch that a variant for NVIDIA GPUs is built against."""


def _no_settings(target: Target) -> dict[str, str]:
    return {}


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
    heavy: bool = False
    """Whether its build takes so long that it should begin before others."""
    settings: Callable[[Target], dict[str, str]] = _no_settings
    """Variables of a variant's build; all of them enter the key."""
    left_out: Callable[[Target], dict[str, str | None]] = _nothing_left_out
    """Repos of `build_needs` that a variant's build does without, with the reason; None for one
    that it has no use for."""
