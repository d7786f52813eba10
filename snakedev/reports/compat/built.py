"""Which packages the repos of a configuration give wheels of."""

from packaging.utils import canonicalize_name

from snakedev.config.model import Config
from snakedev.recipes.registry import RECIPES


def built_here(config: Config) -> dict[str, tuple[str, str]]:
    """By canonical name, the repos whose wheels are built from source, with the version of each."""
    return {
        canonicalize_name(repo.release.name if repo.release else name): (name, repo.version)
        for name, repo in config.repos.items()
        if repo.enabled and (recipe := RECIPES[repo.recipe]).environment and not recipe.repacks
    }


def repacked_here(config: Config) -> dict[str, str]:
    """By canonical name, the repos whose wheels stand for the index's where a lock has those, with
    what of them is declared to need no GIL."""
    return {
        canonicalize_name(name): f"declared to need no GIL: {', '.join(repo.declared)}"
        if repo.declared
        else ""
        for name, repo in config.repos.items()
        if repo.enabled and RECIPES[repo.recipe].repacks
    }
