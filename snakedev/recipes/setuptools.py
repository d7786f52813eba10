"""Projects that setuptools builds."""

from snakedev.recipes.recipe import Recipe

RECIPE = Recipe(number=2)
