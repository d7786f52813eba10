"""All recipes by name, and the recipe numbers of the other keyed artifacts."""

from snakedev.recipes import maturin, opencv, scikit_build, setuptools, source, vllm
from snakedev.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    "setuptools": setuptools.RECIPE,
    "scikit-build-core": scikit_build.RECIPE,
    "maturin": maturin.RECIPE,
    "opencv": opencv.RECIPE,
    "vllm": vllm.RECIPE,
    "source": source.RECIPE,
}

RECIPE_NUMBERS = {
    "source": 1,
    "crates": 1,
    "environment": 2,
    "model": 1,
    "smoke": 3,
    "gil": 1,
    "patches": 1,
    "kernels": 1,
}
"""The recipe numbers of the other keyed artifacts, raised by hand in the same way."""
