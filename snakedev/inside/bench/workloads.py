"""The loads that a server is measured under, as `vllm bench serve` makes them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_COMPLETIONS = {"backend": "openai", "endpoint": "/v1/completions", "temperature": 0}
_MOST_CLIENTS = 256
# Never done before the last token, so that every token is one that the grammar chose among.
_LONG_LIST = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    },
    "minItems": 1000,
}


@dataclass(frozen=True)
class Workload:
    """What the clients of a load ask for, each one request after the other."""

    what: str
    """For a reader."""
    clients_per_core: int
    """How many stream at once; 0 for a single one."""
    input_tokens: int
    """Of a prompt: random ones."""
    output_tokens: int
    """New ones of an answer."""
    options: Mapping[str, Any]
    """Of `vllm bench serve`, besides the prompts."""
    server: Mapping[str, Any] = field(default_factory=dict)
    """Arguments that the server has to be started with for it."""
    vision: bool = False
    """Whether it asks the vision model of vision.py."""

    def clients(self, cores: int) -> int:
        """How many stream at once on a machine of so many cores."""
        return min(_MOST_CLIENTS, self.clients_per_core * cores) or 1


WORKLOADS: Mapping[str, Workload] = {
    "single": Workload("one client, short answers", 0, 64, 32, _COMPLETIONS),
    "short": Workload("many clients, very short answers", 16, 16, 4, _COMPLETIONS),
    "structured": Workload(
        "many clients, answers in JSON of a schema",
        16,
        16,
        32,
        _COMPLETIONS | {"extra-body": json.dumps({"structured_outputs": {"json": _LONG_LIST}})},
    ),
    "embeddings": Workload(
        "many clients, embeddings of short texts",
        16,
        32,
        1,
        {"backend": "openai-embeddings", "endpoint": "/v1/embeddings"},
        {"runner": "pooling", "convert": "embed"},
    ),
    "images": Workload(
        "many clients, a picture each, very short answers",
        8,
        16,
        4,
        {
            "backend": "openai-chat",
            "endpoint": "/v1/chat/completions",
            "temperature": 0,
            "dataset-name": "random-mm",
            "random-mm-bucket-config": json.dumps({"(448, 448, 1)": 1.0}),
        },
        {
            "load_format": "dummy",
            "max_model_len": 4096,
            "limit_mm_per_prompt": json.dumps({"image": 1, "video": 0}),
        },
        vision=True,
    ),
}
"""By their names in config.yaml (`bench_report.server.loads`)."""
