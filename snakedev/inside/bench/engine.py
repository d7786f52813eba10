"""An engine that does the timed part of a request when it is told to: `engine.py REQUEST SOCKET`.

A contender of turns.py, in a run environment. REQUEST is what snakedev/inside/answer.py is asked.
It says in what state its GIL is when it is ready, and what a round took each time.
"""

import json
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[3]))

from snakedev.inside.answer import timed_round
from snakedev.inside.bench.turns import serve


def main(request_file: Path, connection: socket.socket) -> None:
    """Load vLLM, do a round that is not counted, and answer until the other end is closed."""
    request = json.loads(request_file.read_bytes())
    from vllm import LLM

    llm = LLM(model=request["model"], **request["engine"])
    timed = timed_round(llm, request)
    timed()

    def once(_: object) -> Mapping[str, float]:
        seconds, tokens = timed()
        return {"seconds": seconds, "tokens": tokens}

    serve(connection, {"gil": getattr(sys, "_is_gil_enabled", lambda: True)()}, once)


# vLLM starts its processes by importing this file again
if __name__ == "__main__":
    main(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])))
