"""Projects in Rust, which maturin builds.

Their variables are those of every build: wheels/variables.py.
"""

from snakedev.recipes.recipe import Recipe

# crates may hold C++, as those of tokenizers do
RECIPE = Recipe(number=2, tools=("cc", "cxx", "rustc"))
