"""An engine that does the timed part of a request when it is told to: `rounds.py REQUEST SOCKET`.

SOCKET is the number of a connected socket that compare.py hands down: the engine writes a line of
JSON when it is ready, and one for each line that it reads.
"""

import json
import socket
import sys
import time
from pathlib import Path


def main(request_file: Path, connection: socket.socket) -> None:
    """Load vLLM and answer the socket until its other end is closed."""
    request = json.loads(request_file.read_bytes())
    from vllm import LLM, SamplingParams

    llm = LLM(model=request["model"], **request["engine"])
    asked, texts = request["throughput"], request["prompts"]
    prompts = [f"{number}. {texts[number % len(texts)]}" for number in range(asked["prompts"])]
    exactly = SamplingParams(temperature=0, max_tokens=asked["tokens"], ignore_eos=True)

    def once() -> dict[str, float]:
        started = time.perf_counter()
        outputs = llm.generate(prompts, exactly, use_tqdm=False)
        seconds = time.perf_counter() - started
        return {
            "seconds": seconds,
            "tokens": sum(len(output.outputs[0].token_ids) for output in outputs),
        }

    once()
    with connection.makefile("rw", encoding="utf-8") as lines:
        print(
            json.dumps({"gil": getattr(sys, "_is_gil_enabled", lambda: True)()}),
            file=lines,
            flush=True,
        )
        for _ in lines:
            print(json.dumps(once()), file=lines, flush=True)


# vLLM starts its processes by importing this file again
if __name__ == "__main__":
    main(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])))
