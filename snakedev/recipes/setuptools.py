"""Projects that setuptools builds.

Their variables are those of every build: wheels/variables.py.
"""

from snakedev.recipes.recipe import Recipe

RECIPE = Recipe(number=2)
