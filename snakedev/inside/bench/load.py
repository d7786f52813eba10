"""A load on a server, by vLLM's own `vllm bench serve`: `load.py SOCKET`.

A contender of turns.py, in a run environment. Each message is a round: the server's address and
model, how many clients stream at once, how many requests they make of so many tokens, a seed for
the random prompts, and further options of the tool. The tool is loaded once; all that it would
print at the end is the answer.
"""

import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[3]))

from snakedev.base.process import die_with_parent
from snakedev.inside.bench.turns import serve


def main(connection: socket.socket) -> None:
    """Load the tool and make the load that each message asks for."""
    # a server that is asked to end waits for its clients
    die_with_parent()
    from vllm.benchmarks import serve as tool
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parser = FlexibleArgumentParser()
    tool.add_cli_args(parser)

    def once(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        words = {
            "base-url": wanted["url"],
            "model": wanted["model"],
            "dataset-name": "random",
            "random-input-len": wanted["input_tokens"],
            "random-output-len": wanted["output_tokens"],
            "num-prompts": wanted["requests"],
            "max-concurrency": wanted["clients"],
            "seed": wanted["seed"],
            "ready-check-timeout-sec": 0,
            **wanted["options"],
        }
        line = [f"--{name}={value}" for name, value in words.items()]
        arguments = parser.parse_args([*line, "--disable-tqdm", "--save-detailed"])
        processor = time.process_time()
        measured = tool.main(arguments)
        processor = time.process_time() - processor
        if measured["completed"] != wanted["requests"]:
            errors = "; ".join(filter(None, measured["errors"]))[:2000]
            raise RuntimeError(
                f"{measured['completed']} of {wanted['requests']} requests: {errors}"
            )
        # what is not streamed comes whole: an embedding has tokens in its prompt alone
        streamed = "ttfts" in measured
        return {
            "seconds": measured["duration"],
            "requests": measured["completed"],
            "tokens": measured["total_output_tokens" if streamed else "total_input_tokens"],
            "ttfts": measured["ttfts"] if streamed else measured.get("latencies", []),
            "itls": measured.get("itls", []),
            "processor_seconds": processor,
        }

    serve(connection, {}, once)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
