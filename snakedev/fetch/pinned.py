"""What a pin names, of either origin: a release's archive, or a commit in the repo's mirror."""

from pathlib import Path

from snakedev.base.job import Job
from snakedev.config.model import Config
from snakedev.config.repos import GitPin
from snakedev.fetch.download import fetch_pin
from snakedev.fetch.mirror import ensure_commit
from snakedev.store.layout import Layout
from snakedev.store.source_specs import PinnedSpec


def fetch_pinned(spec: PinnedSpec, config: Config, running: Job) -> Path | None:
    """Have what a pin names here, and return a release's archive, None for a commit.

    What is here is not fetched again. Raises UserError where it cannot be had.
    """
    pin = spec.pin
    if not isinstance(pin, GitPin):
        return fetch_pin(pin, config, running)
    ensure_commit(Layout.of(config), spec.repo, pin.url, pin.commit, pin.submodules, running)
    return None
