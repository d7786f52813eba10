"""Finished wheels of a package index: their text files patched, their native modules declared.

What they hold besides stays as it is. Where a lock has such a package, the wheel that is made here
stands in its place; where a lock leaves it out, it stays out.
"""

from snakedev.recipes.recipe import Recipe

RECIPE = Recipe(number=1, tools=("cc",), repacks=True, label="patched")
