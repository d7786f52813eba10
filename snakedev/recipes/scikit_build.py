"""Projects that scikit-build-core builds, with CMake."""

from snakedev.recipes.recipe import Recipe

RECIPE = Recipe(number=2, heavy=True)
