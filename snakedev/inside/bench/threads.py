"""vLLM's front end in so many threads at once, when it is told to: `threads.py REQUEST SOCKET`.

A contender of turns.py, in a run environment. REQUEST holds `model` and `threads`, the most that it
will be asked for. It says what its interpreter is when it is ready; each message is a round: a
`part` of the front end, `threads`, and the `items` of each of them.
"""

import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[3]))

from snakedev.inside.bench.front_end import FrontEnd, Work
from snakedev.inside.bench.interpreter import interpreter_state
from snakedev.inside.bench.turns import serve


def main(request_file: Path, connection: socket.socket) -> None:
    """Load everything, then do the rounds that the other end asks for."""
    request = json.loads(request_file.read_bytes())
    front_end = FrontEnd(request["model"], request["threads"])
    serve(
        connection,
        interpreter_state(),
        lambda wanted: at_once(front_end.parts[wanted["part"]], wanted["threads"], wanted["items"]),
    )


def at_once(make: Callable[[], Work], threads: int, items: int) -> dict[str, float]:
    """Do so many items in each of so many threads, each with work that it made itself.

    Returns the seconds from the first thread's start to the last one's end, and the units of all.
    Raises what the work of a thread raises, such as WrongResult.
    """
    spans: list[tuple[float, float, int]] = []
    failures: list[BaseException] = []
    barrier = threading.Barrier(threads)

    def run() -> None:
        try:
            work = make()
            work(1)
            barrier.wait()
            started = time.perf_counter()
            units = work(items)
            spans.append((started, time.perf_counter(), units))
        except BaseException as error:
            barrier.abort()
            failures.append(error)

    running = [threading.Thread(target=run) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failures:
        # not the ones who only waited for it
        raise min(failures, key=lambda one: isinstance(one, threading.BrokenBarrierError))
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    return {"seconds": last - first, "units": sum(span[2] for span in spans)}


# vLLM starts its processes by importing this file again
if __name__ == "__main__":
    main(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])))
