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


class StrictLoader(yaml.SafeLoader):
    """A YAML loader that refuses a key given twice, which PyYAML would take silently."""


def _unique_mapping(loader: StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, int] = {}
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        line = key_node.start_mark.line + 1
        if key in seen:
            raise UserError(
                f"{key_node.start_mark.name}:{line}: the key '{key}' stands here and in line "
                f"{seen[key]}: keep one of them"
            )
        seen[key] = line
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)
