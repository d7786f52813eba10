"""What scenarios that use vLLM share: its configuration for the model, and the prompts."""

from pathlib import Path
from typing import Any

PROMPTS = tuple(
    f"{number}. {text}"
    for number, text in enumerate(
        (
            "The capital of France is",
            "Water boils at",
            "Once upon a time",
            "Two and two are",
            "A cat",
        )
    )
)


def engine_arguments(model: Path) -> dict[str, Any]:
    """What an engine is made with: little memory, greedy answers that do not depend on others."""
    return {
        "model": str(model),
        # in bfloat16 an answer depends on what else is in the batch
        "dtype": "float32",
        "max_model_len": 512,
        "max_num_batched_tokens": 512,
        "max_num_seqs": 8,
        "kv_cache_memory_bytes": 1 << 28,
        "enforce_eager": True,
    }


def vllm_config(model: Path) -> Any:
    """vLLM's configuration of an engine for the model, without the engine."""
    from vllm.engine.arg_utils import EngineArgs

    return EngineArgs(**engine_arguments(model)).create_engine_config()
