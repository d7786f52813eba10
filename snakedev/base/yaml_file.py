"""Reading YAML files that people write."""

from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from snakedev.base.errors import UserError

_MERGE = "tag:yaml.org,2002:merge"


def read_yaml(path: Path) -> Any:
    """What a file holds; raises OSError where it cannot be read.

    Raises UserError where it is not YAML, or gives a key twice, of which PyYAML would silently take
    the last.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return yaml.load(file, Loader=_StrictLoader)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from None


if TYPE_CHECKING:
    _SafeLoader = yaml.SafeLoader
else:
    # libyaml's parser, where PyYAML was built with it, takes a tenth of the time
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_SafeLoader):
    """A YAML loader that refuses a key given twice."""


def _unique_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, int] = {}
    for key_node, _ in node.value:
        # what `<<` merges may be given again; a key that is a list or mapping PyYAML refuses
        key = None if key_node.tag == _MERGE else loader.construct_object(key_node)
        if key is None or not isinstance(key, Hashable):
            continue
        line = key_node.start_mark.line + 1
        if key in seen:
            raise UserError(
                f"{key_node.start_mark.name}:{line}: the key '{key}' stands here and in line "
                f"{seen[key]}: keep one of them"
            )
        seen[key] = line
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)
