"""Repos that are only a source in others' builds."""

from snakedev.recipes.recipe import Recipe

RECIPE = Recipe(number=1, environment=None, tools=())
