"""Have several engines answer at once, in threads or processes: `python engines.py MODEL`.

Runs inside a run environment, or with what unpack.py put together:
`PYTHONPATH=/tmp/vllm/vllm-installed /tmp/vllm/python/bin/python3 engines.py /tmp/vllm/model
--engine '{"gpu_memory_utilization": 0.2}'`. Each engine answers prompts of its own, in a thread of
this process, or in a process with --processes. Prints one line of JSON: tokens per second of all
together, and how many answers were not those that the same engine gave alone. Exit status 1 says
that one was not, or that an exception came.
"""

import argparse
import faulthandler
import json
import multiprocessing
import os
import queue
import sys
import threading
import time
import traceback
from typing import Any


def work(number: int, options: argparse.Namespace, lock: Any, barrier: Any, results: Any) -> None:
    """One engine: loaded and asked alone, then at the same time as the others."""
    try:
        from vllm import LLM, SamplingParams

        prompts = [f"{count}. Engine {number} tells a story:" for count in range(options.prompts)]
        sampling = SamplingParams(temperature=0, max_tokens=options.tokens, ignore_eos=True)
        # loading and capturing CUDA graphs have state that a process has once
        with lock:
            llm = LLM(
                options.model,
                max_model_len=1024,
                max_num_seqs=options.prompts,
                enable_prefix_caching=False,
                async_scheduling=False,
                seed=0,
                **json.loads(options.engine),
            )
            alone = [out.outputs[0].token_ids for out in llm.generate(prompts, sampling)]
        for _ in range(options.rounds):
            barrier.wait(timeout=600)
            began = time.perf_counter()
            outputs = llm.generate(prompts, sampling, use_tqdm=False)
            seconds = time.perf_counter() - began
            wrong = sum(
                out.outputs[0].token_ids != right for out, right in zip(outputs, alone, strict=True)
            )
            results.put({"seconds": seconds, "wrong": wrong})
        # one that ends takes the parallel groups of the process with it
        barrier.wait(timeout=600)
    except BaseException as error:
        traceback.print_exc()
        barrier.abort()
        results.put({"error": f"{type(error).__name__}: {str(error)[:200]}"})


def main() -> None:
    """Start the engines, and say what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("model")
    parser.add_argument("--engines", type=int, default=2)
    parser.add_argument("--processes", action="store_true")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", default="{}", help="more arguments of LLM, as JSON")
    options = parser.parse_args()
    faulthandler.enable()
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    if options.processes:
        spawn = multiprocessing.get_context("spawn")
        start, lock, results = spawn.Process, spawn.Lock(), spawn.Queue()
        barrier = spawn.Barrier(options.engines)
    else:
        start, lock, results = threading.Thread, threading.Lock(), queue.Queue()
        barrier = threading.Barrier(options.engines)
    for number in range(options.engines):
        start(target=work, args=(number, options, lock, barrier, results), daemon=True).start()
    done = []
    for _ in range(options.engines * options.rounds):
        done.append(results.get(timeout=900))
        if "error" in done[-1]:
            break
    errors = [one["error"] for one in done if "error" in one]
    wrong = sum(one.get("wrong", 0) for one in done)
    # the last round's, in which nothing is new to any of them
    seconds = max((one.get("seconds", 0.0) for one in done[-options.engines :]), default=0.0)
    tokens = options.engines * options.prompts * options.tokens
    said = {
        "gil": "on" if getattr(sys, "_is_gil_enabled", lambda: True)() else "off",
        "engines": options.engines,
        "in": "processes" if options.processes else "threads",
        "tokens_per_second": round(tokens / seconds) if seconds else None,
        "wrong": wrong,
        "answers": options.engines * options.prompts * options.rounds,
        "errors": errors,
    }
    print(json.dumps(said), flush=True)
    os._exit(int(bool(wrong or errors)))


if __name__ == "__main__":
    main()
