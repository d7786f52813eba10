"""Reproducer for vllm-generate-from-threads.md: `python FILE MODEL [--process] [--lock]`.

MODEL is the folder of a small model. Several threads call one LLM's generate for a time; without
--lock all at once. --process has the engine in a process of its own. Exit status 1 says that an
answer was wrong or an exception came, 2 that a thread did not come back; a crash ends by a signal.
"""

import argparse
import contextlib
import faulthandler
import os
import sys
import threading
import time
from collections import Counter

PROMPTS = [f"{number}. The capital of country {number} is" for number in range(6)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--process", action="store_true")
    parser.add_argument("--lock", action="store_true")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    faulthandler.enable()
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = str(int(options.process))
    from vllm import LLM, SamplingParams

    llm = LLM(
        options.model,
        dtype="float32",
        max_model_len=512,
        max_num_seqs=8,
        kv_cache_memory_bytes=1 << 28,
        enforce_eager=True,
    )
    lock = threading.Lock() if options.lock else contextlib.nullcontext()

    def generated(prompt: str) -> list[tuple[str, str]]:
        greedy = SamplingParams(temperature=0, max_tokens=6)
        with lock:
            outputs = llm.generate([prompt], greedy, use_tqdm=False)
        return [(output.prompt, output.outputs[0].text) for output in outputs]

    expected = {prompt: generated(prompt) for prompt in PROMPTS}
    counts = [Counter() for _ in range(4)]
    end = time.monotonic() + options.seconds

    def work(count: Counter) -> None:
        number = 0
        while time.monotonic() < end:
            prompt = PROMPTS[number % len(PROMPTS)]
            number += 1
            try:
                answers = generated(prompt)
                count["right" if answers == expected[prompt] else f"{len(answers)} WRONG"] += 1
            except Exception as error:
                count[f"{type(error).__name__}: {str(error)[:60]}"] += 1

    threads = [threading.Thread(target=work, args=(count,), daemon=True) for count in counts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end + 30 - time.monotonic()))
    stuck = sum(thread.is_alive() for thread in threads)
    total = sum(counts, Counter())
    gil = "on" if sys._is_gil_enabled() else "off"
    print(f"GIL {gil}, {dict(total)}, {stuck} threads did not come back", flush=True)
    if stuck:
        faulthandler.dump_traceback()
    llm.llm_engine.engine_core.shutdown()
    os._exit(2 if stuck else int(set(total) != {"right"}))


if __name__ == "__main__":
    main()
