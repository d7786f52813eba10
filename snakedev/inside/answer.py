"""The inference of a smoke run: load vLLM, answer prompts greedily, time a batch, ask the GIL.

Runs inside the run environment: `answer.py REQUEST RESULT`, both JSON. The result is written
after each part, so that a crash leaves what was known. Lines that begin with MARK tell the job
how far it is.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

MARK = "snakedev:"
_PACKAGES = ("vllm", "torch", "transformers", "tokenizers", "safetensors", "numpy")


def main(request_file: Path, result_file: Path) -> None:
    """Do what the request asks and write the result."""
    request = json.loads(request_file.read_bytes())
    result: dict[str, Any] = {"versions": _versions()}

    def keep(**parts: Any) -> None:
        result.update(parts)
        result_file.write_text(json.dumps(result), encoding="utf-8")

    keep()
    from vllm import LLM, SamplingParams

    _mark("imported vllm")
    llm = LLM(model=request["model"], **request["engine"])
    _mark("engine ready")
    started = time.perf_counter()
    first = SamplingParams(temperature=0, max_tokens=1)
    llm.generate([request["prompts"][0]], first, use_tqdm=False)
    _mark("first token")
    keep(first_token_seconds=time.perf_counter() - started)
    keep(answers=[_answer(llm, prompt, request["max_tokens"]) for prompt in request["prompts"]])
    _mark("answered")
    keep(throughput=_throughput(llm, request))
    _mark("measured throughput")
    import snakedev_probe

    keep(processes=snakedev_probe.ask(os.environ[snakedev_probe.VARIABLE]))
    _mark("asked every process")


def _answer(llm: Any, prompt: str, max_tokens: int) -> dict[str, Any]:
    """The greedy answer to a prompt, alone in the batch."""
    from vllm import SamplingParams

    started = time.perf_counter()
    greedy = SamplingParams(temperature=0, max_tokens=max_tokens)
    (output,) = llm.generate([prompt], greedy, use_tqdm=False)
    (answer,) = output.outputs
    return {
        "text": answer.text,
        "prompt_tokens": len(output.prompt_token_ids),
        "tokens": len(answer.token_ids),
        "finish_reason": answer.finish_reason,
        "seconds": time.perf_counter() - started,
    }


def _throughput(llm: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Seconds of each timed round of a full batch, after one round that is not counted."""
    timed = timed_round(llm, request)
    done = [timed() for _ in range(request["throughput"]["rounds"] + 1)]
    return {"tokens": done[-1][1], "rounds": [seconds for seconds, _ in done[1:]]}


def timed_round(llm: Any, request: dict[str, Any]) -> Callable[[], tuple[float, int]]:
    """What answers a full batch at each call: seconds, and new tokens of all prompts."""
    from vllm import SamplingParams

    asked = request["throughput"]
    texts = request["prompts"]
    prompts = [f"{number}. {texts[number % len(texts)]}" for number in range(asked["prompts"])]
    exactly = SamplingParams(temperature=0, max_tokens=asked["tokens"], ignore_eos=True)

    def once() -> tuple[float, int]:
        started = time.perf_counter()
        outputs = llm.generate(prompts, exactly, use_tqdm=False)
        seconds = time.perf_counter() - started
        return seconds, sum(len(output.outputs[0].token_ids) for output in outputs)

    return once


def _versions() -> dict[str, str]:
    found = {"python": f"{platform.python_version()} ({sys.implementation.name})"}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _mark(event: str) -> None:
    print(f"{MARK} {event}", flush=True)


# vLLM starts its processes by importing this file again
if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
