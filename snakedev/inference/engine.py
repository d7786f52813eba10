"""How vLLM's engine is started for a measured or tested run, whatever it is for."""

import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snakedev import inside
from snakedev.base.cpu import physical_cores
from snakedev.config.reports import Prompt, Throughput
from snakedev.environments.environment import EnvironmentRecord

ANSWER = inside.FOLDER / "answer.py"
"""The program that loads vLLM and answers: `answer.py REQUEST RESULT`, in a run environment."""
ROUNDS = 3
"""Timed rounds of the throughput batch; the median counts."""

_MAX_MODEL_LEN = 2048
_BATCHED_TOKENS = 512
_KV_CACHE_BYTES = 1 << 30
# Names in /proc/cpuinfo of instructions for bfloat16 (x86, x86, Arm).
_BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def request(
    prompts: Sequence[Prompt],
    max_tokens: int,
    throughput: Throughput,
    model: Path,
    engine: Mapping[str, Any],
) -> str:
    """What ANSWER is asked for, as JSON."""
    return json.dumps(
        {
            "model": str(model),
            "engine": dict(engine),
            "prompts": [prompt.text for prompt in prompts],
            "max_tokens": max_tokens,
            "throughput": throughput.model_dump() | {"rounds": ROUNDS},
        }
    )


def probe_variables() -> dict[str, str]:
    """Variables that let every process of one run say in what state it is."""
    return {
        "PYTHONPATH": str(inside.FOLDER / "plugin"),
        "VLLM_PLUGINS": "snakedev_probe",
        "SNAKEDEV_PROBE": f"snakedev-{secrets.token_hex(6)}",
    }


def engine_arguments(model: Path, sequences: int, flags: frozenset[str] | None) -> dict[str, Any]:
    """What vLLM's engine is made with: the model's own settings, within a modest memory.

    ``sequences`` are answered at once; ``flags`` are the features of the CPU that computes, None
    for a GPU.
    """
    config = json.loads((model / "config.json").read_bytes())
    text = config.get("text_config") or config
    longest = text.get("max_position_embeddings") or text.get("n_positions") or _MAX_MODEL_LEN
    return {
        # without instructions for bfloat16, products in float32 are several times as fast
        "dtype": "auto" if flags is None or flags & _BFLOAT16_FLAGS else "float32",
        "max_model_len": min(int(longest), _MAX_MODEL_LEN),
        # vLLM warms up with as many tokens and sequences as it may ever meet
        "max_num_batched_tokens": _BATCHED_TOKENS,
        "max_num_seqs": sequences,
        "kv_cache_memory_bytes": _KV_CACHE_BYTES,
        "enforce_eager": True,
    }


def settings(variant: str, threads: int, toolkit: Path | None) -> dict[str, str]:
    """Variables of vLLM and torch for a run of a variant on ``threads`` cores.

    ``toolkit`` is the CUDA toolkit in the environment, if it has one.
    """
    variables = without_compilers(variant)
    if variant == "cpu":
        # OpenMP threads, one for each core; vLLM itself would keep one core free for its other
        # processes, which wait while the model computes
        cores = physical_cores()[:threads]
        variables["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(map(str, cores))
    if toolkit is not None:
        # where FlashInfer, which may do the attention, finds nvcc
        variables["CUDA_HOME"] = str(toolkit)
    return variables


def without_compilers(variant: str) -> dict[str, str]:
    """Variables with which a run of a variant compiles nothing."""
    # vLLM compiles a few small functions with torch's inductor even for an eager engine: a
    # minute of C++ for samplers that a greedy run never calls
    variables = {"TORCH_COMPILE_DISABLE": "1"}
    if variant == "cuda":
        # compiled with nvcc at the start otherwise; a greedy run never calls it
        variables["VLLM_USE_FLASHINFER_SAMPLER"] = "0"
    return variables


def toolkit_in(environment: Path) -> Path | None:
    """The CUDA toolkit of a run environment, if it has one."""
    toolkit = EnvironmentRecord.read(environment / "env.json").cuda_toolkit
    return environment / toolkit if toolkit else None
