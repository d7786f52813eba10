"""An engine that does the timed part of a request when it is told to: `rounds.py REQUEST SOCKET`.

SOCKET is the number of a connected socket that compare.py hands down: the engine writes a line of
JSON when it is ready, and one for each line that it reads.
"""

import json
import socket
import sys
from pathlib import Path

# its neighbour: this runs as a program
from profiled import load


def main(request_file: Path, connection: socket.socket) -> None:
    """Load vLLM and answer the socket until its other end is closed."""
    request = json.loads(request_file.read_bytes())
    from vllm import LLM

    llm = LLM(model=request["model"], **request["engine"])
    timed = load().timed_round(llm, request)
    timed()
    with connection.makefile("rw", encoding="utf-8") as lines:
        print(
            json.dumps({"gil": getattr(sys, "_is_gil_enabled", lambda: True)()}),
            file=lines,
            flush=True,
        )
        for _ in lines:
            seconds, tokens = timed()
            print(json.dumps({"seconds": seconds, "tokens": tokens}), file=lines, flush=True)


# vLLM starts its processes by importing this file again
if __name__ == "__main__":
    main(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])))
