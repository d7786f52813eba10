"""A server of vLLM's: the ways to start one, and one that was started."""

import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from snakedev.base.process import die_with_parent
from snakedev.inside.bench.interpreter import LOOPS, MARK
from snakedev.inside.bench.turns import TurnError

_INTERPRETER = Path(__file__).with_name("interpreter.py").resolve()
_SERVE = Path(__file__).with_name("vllm_serve.py").resolve()
_START_SECONDS = 900
_LOG_CHARACTERS = 4000
ONE_PROCESS = "one process"
"""What the names of servers have that are one with their engine."""


class Server:
    """A server that was started, on a port that was free."""

    def __init__(
        self,
        name: str,
        python: str,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        log: Path,
    ):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.name, self.log = name, log
        self.url = f"http://127.0.0.1:{port}"
        with log.open("w", encoding="utf-8") as file:
            self.process = subprocess.Popen(
                [python, _SERVE, *arguments, "--host=127.0.0.1", f"--port={port}"],
                env=dict(variables),
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # as a server is asked to end, so that it ends its engine too
                preexec_fn=partial(die_with_parent, signal.SIGTERM),
            )

    def wait(self) -> None:
        """Until it answers; raises TurnError with the end of its log when it does not."""
        deadline = time.monotonic() + _START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=10):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        said = self.log.read_text(encoding="utf-8", errors="replace")[-_LOG_CHARACTERS:]
        raise TurnError(f"{self.name}: the server does not answer; {self.log} ends with\n{said}")


def asked(contender: Mapping[str, Any], *questions: str) -> dict[str, Any]:
    """What interpreter.py says of a contender's Python; raises TurnError where it fails."""
    done = subprocess.run(
        [contender["python"], _INTERPRETER, *questions],
        env=dict(contender["variables"]),
        capture_output=True,
        text=True,
        timeout=_START_SECONDS,
    )
    said = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if not said:
        raise TurnError(f"{contender['name']}: {done.stderr[-_LOG_CHARACTERS:]}")
    return json.loads(said[0].removeprefix(MARK))


def servers_of(
    contender: Mapping[str, Any], told: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Any], str | None]]:
    """The servers that are made of a contender, each with why its vLLM cannot be one, if so.

    ``told`` is what interpreter.py says of it.
    """
    name, variables = contender["name"], contender["variables"]
    for count in contender.get("api_servers", (1,)):
        several = count > 1
        yield (
            {
                "name": f"{name}, {count} API servers" if several else name,
                "python": contender["python"],
                "variables": variables,
                "arguments": [f"--api-server-count={count}"] if several else [],
            },
            None,
        )
    for count in contender.get("loops", ()):
        several = count > 1
        yield (
            {
                "name": f"{name}, {ONE_PROCESS}" + (f", {count} loops" if several else ""),
                "python": contender["python"],
                "variables": {
                    **variables,
                    **contender.get("loops_variables", {}),
                    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
                },
                "arguments": [f"{LOOPS}={count}"] if several else [],
            },
            told["one_process"] or (told["loops"] if several else None),
        )
