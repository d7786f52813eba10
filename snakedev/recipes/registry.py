"""All recipes by name, and the recipe numbers of the other keyed artifacts."""

from __future__ import annotations

from snakedev.recipes.opencv import opencv_settings
from snakedev.recipes.recipe import Recipe
from snakedev.recipes.vllm import vllm_left_out, vllm_settings

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


RECIPES: dict[str, Recipe] = {
    "setuptools": Recipe(number=2),
    "scikit-build-core": Recipe(number=2, heavy=True),
    # crates may hold C++, as those of tokenizers do
    "maturin": Recipe(number=2, tools=("cc", "cxx", "rustc")),
    "opencv": Recipe(
        number=1,
        environment="build-opencv",
        # FFmpeg and nasm are built by make
        tools=("cc", "cxx", "make"),
        heavy=True,
        settings=opencv_settings,
    ),
    "vllm": Recipe(
        number=2,
        environment="build-{variant}",
        per_variant=True,
        heavy=True,
        settings=vllm_settings,
        left_out=vllm_left_out,
    ),
    "source": Recipe(number=1, environment=None, tools=()),
}
