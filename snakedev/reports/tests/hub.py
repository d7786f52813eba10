"""What tests find of the model hub without asking it: a cache of configurations."""

import json
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub.file_download import repo_folder_name
from pydantic import JsonValue

from snakedev.base.records import write_text

# A cache has folders by commit; these come from none.
_COMMIT = "0" * 40


def hub_cache(home: Path, models: Mapping[str, Mapping[str, JsonValue]]) -> dict[str, str]:
    """Write a cache of the hub that has nothing but models' configurations; returns the variables
    that lead there."""
    home.mkdir(parents=True, exist_ok=True)
    for name, configuration in models.items():
        model = home / "hub" / repo_folder_name(repo_id=name, repo_type="model")
        write_text(model / "refs/main", _COMMIT)
        text = json.dumps(configuration, indent=2)
        write_text(model / "snapshots" / _COMMIT / "config.json", text)
    return {"HF_HOME": str(home)}
