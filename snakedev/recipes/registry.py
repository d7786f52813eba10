"""All recipes by name, and the recipe numbers of the other keyed artifacts."""

from snakedev.config.model import Config
from snakedev.config.repos import REPACK
from snakedev.recipes import (
    maturin,
    opencv,
    repack,
    scikit_build,
    setuptools,
    source,
    vllm,
)
from snakedev.recipes.recipe import KernelLayout, Recipe

RECIPES: dict[str, Recipe] = {
    "setuptools": setuptools.RECIPE,
    "scikit-build-core": scikit_build.RECIPE,
    "maturin": maturin.RECIPE,
    "opencv": opencv.RECIPE,
    REPACK: repack.RECIPE,
    "vllm": vllm.RECIPE,
    "source": source.RECIPE,
}

KERNEL_LAYOUTS: dict[str, KernelLayout] = {"vllm": vllm.KERNELS}
"""By recipe whose kernels can be taken from a finished wheel. Not a part of the recipe: its code
decides what is in a wheel, while all else that a recipe says is in the key."""

RECIPE_NUMBERS = {
    "source": 1,
    "crates": 1,
    "environment": 2,
    "model": 1,
    "smoke": 3,
    "gil": 2,
    "image": 2,
    "workflow_image": 1,
    "patches": 1,
    "tests": 2,
    "kernels": 2,
}
"""The recipe numbers of the other keyed artifacts, raised by hand in the same way."""


def borrowed_layout(config: Config, variant: str) -> KernelLayout | None:
    """The layout of the kernels that a variant takes from a finished wheel; None where it compiles
    them."""
    borrower = config.borrower(variant)
    return KERNEL_LAYOUTS[config.repos[borrower].recipe] if borrower else None
