"""Reading YAML files that people write."""

from pathlib import Path
from typing import Any

import yaml

from snakedev.base.errors import UserError


def read_yaml(path: Path, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """What a file holds; raises UserError where it is not YAML, OSError where it cannot be read."""
    try:
        with path.open(encoding="utf-8") as file:
            return yaml.load(file, Loader=loader)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
