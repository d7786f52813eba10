"""Reading YAML files that people write."""

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
            loader = _Loader(file)
            try:
                node = loader.get_single_node()
                if node is None:
                    return None
                # before it is constructed, which writes into a mapping what `<<` merges
                _refuse_duplicates(loader, node, set())
                loader.deep_construct = True  # so that what holds itself is refused
                return loader.construct_document(node)
            finally:
                loader.dispose()
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from None


if TYPE_CHECKING:
    _Loader = yaml.SafeLoader
else:
    # libyaml's parser, where PyYAML was built with it, takes a tenth of the time
    _Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _refuse_duplicates(loader: _Loader, node: yaml.Node, looked_at: set[int]) -> None:
    """Raise UserError for a key that a mapping gives twice; a key that `<<` merges is none."""
    if id(node) in looked_at or not isinstance(node, yaml.CollectionNode):
        return
    looked_at.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_duplicates(loader, value, looked_at)
        return
    seen: dict[Any, int] = {}
    for key_node, value in node.value:
        _refuse_duplicates(loader, value, looked_at)
        # a key that is a list or mapping PyYAML refuses
        if not isinstance(key_node, yaml.ScalarNode):
            continue
        key = "<<" if key_node.tag == _MERGE else loader.construct_object(key_node)
        line = key_node.start_mark.line + 1
        if key in seen:
            raise UserError(
                f"{key_node.start_mark.name}:{line}: the key '{key}' stands here and in line "
                f"{seen[key]}: keep one of them"
            )
        seen[key] = line
