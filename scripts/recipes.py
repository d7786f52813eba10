"""How each kind of repo is built.

A recipe names the build environment, the compilers that enter the wheel's key, and the variables
that its build sees. Raise a recipe's ``number`` whenever the way of building changes: it is part
of every key made with it. scripts/recipe_lock.py keeps that from being forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.config import Config
    from scripts.machine import Machine

ANY = "any"
"""The variant of a wheel without device code: built once, installed in all."""

RECIPE_NUMBERS = {
    "source": 1,
    "crates": 1,
    "environment": 1,
    "model": 1,
    "smoke": 1,
    "patches": 1,
}
"""The recipe numbers of the other keyed artifacts, raised by hand in the same way."""

# Which of vLLM's three CPU extensions is compiled for an instruction set; a wheel for one set is
# smaller and takes a third of the time.
_VLLM_ISAS = ("avx2", "avx512", "amx")


def _no_settings(variant: str, config: Config, machine: Machine) -> dict[str, str]:
    return {}


def _nothing_left_out(variant: str, config: Config) -> frozenset[str]:
    return frozenset()


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
    settings: Callable[[str, Config, Machine], dict[str, str]] = _no_settings
    """Variables of a variant's build; all of them enter the key."""
    left_out: Callable[[str, Config], frozenset[str]] = _nothing_left_out
    """Repos of `build_needs` that a variant's settings make superfluous."""


def _vllm_settings(variant: str, config: Config, machine: Machine) -> dict[str, str]:
    cpu = config.variants.cpu
    assert variant == "cpu" and cpu is not None
    isas = {"all": _VLLM_ISAS, "native": (machine.isa,)}.get(cpu.isa, cpu.isa)
    settings = {
        "VLLM_TARGET_DEVICE": "cpu",
        "VLLM_VERSION_OVERRIDE": f"{config.repos['vllm'].version}+cpu",
        "VLLM_CPU_ISA": ";".join(isas),
        "VLLM_CPU_ONEDNN": "ON" if cpu.onednn else "OFF",
        "VLLM_CPU_NUMA": "ON" if cpu.numa else "OFF",
        "VLLM_CPU_TCMALLOC": "",
        "VLLM_BUILD_RUST": "0",
    }
    if cpu.onednn:
        settings["FETCHCONTENT_SOURCE_DIR_ONEDNN"] = "${SNAKEDEV_SOURCE_ONEDNN}"
        # where compiled objects are kept from build to build; .deps of the source tree is not
        settings["FETCHCONTENT_BASE_DIR"] = "${tree}/build/temp.deps"
    return settings


def _vllm_left_out(variant: str, config: Config) -> frozenset[str]:
    cpu = config.variants.cpu
    with_onednn = variant == "cpu" and cpu is not None and cpu.onednn
    return frozenset() if with_onednn else frozenset({"onednn"})


RECIPES: dict[str, Recipe] = {
    "setuptools": Recipe(number=2),
    "scikit-build-core": Recipe(number=2, heavy=True),
    # crates may hold C++, as those of tokenizers do
    "maturin": Recipe(number=2, tools=("cc", "cxx", "rustc")),
    "vllm": Recipe(
        number=2,
        environment="build-{variant}",
        per_variant=True,
        heavy=True,
        settings=_vllm_settings,
        left_out=_vllm_left_out,
    ),
    "source": Recipe(number=1, environment=None, tools=()),
}
