"""vLLM's OpenAI-compatible server under several loads: `serving.py REQUEST RESULT`, JSON.

Runs inside a run environment, on any machine that has one. REQUEST holds `model` (a model's
folder), `contenders`, and, if wanted, `arguments` (those of vLLM's engine), `loads` (names of
workloads.py), `rounds`, `seconds` that a load shall take, and `folder` for logs. A contender has a
`name`, a `python`, `variables`, and the servers that are made of it: `api_servers`, numbers of API
server processes, and `loops`, numbers of event loops in one process with the engine, which has
`loops_variables`, too.

Servers take turns, one alone at a time: in each round each of them is started, warmed up, put under
every load and ended. All of them answer as many requests, with the same prompts in a round. What a
vLLM cannot do is left out, and RESULT, which is written after each round, says why.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[3]))

from snakedev.inside.bench.processes import end_all, processes, processor_seconds
from snakedev.inside.bench.server import Server, asked, servers_of
from snakedev.inside.bench.turns import Contender, program, rotated, say
from snakedev.inside.bench.workloads import WORKLOADS, Workload

_LOAD = Path(__file__).with_name("load.py").resolve()
_VISION = Path(__file__).with_name("vision.py").resolve()
_LOAD_SECONDS = 900
_ROUND_SECONDS = 900
_CORES_PER_CLIENT = 8
"""A process that makes the load is enough for a server on so many cores."""
_KV_CACHE_BYTES_PER_CLIENT = 8 << 20


def main(request_file: Path, result_file: Path) -> None:
    """Measure what the request asks, and write the result."""
    request = json.loads(request_file.read_bytes())
    with tempfile.TemporaryDirectory(prefix="snakedev-serving-") as scratch, ExitStack() as ending:
        folder = Path(request.get("folder") or scratch)
        serving = Serving(request, folder)
        serving.write_vision_model(Path(scratch, "vision"))
        serving.start_clients(ending)
        for number in range(serving.rounds):
            for server in rotated(serving.servers, number):
                serving.turn(server, number)
            say(f"round {number + 1} of {serving.rounds}")
            result_file.write_text(json.dumps(serving.result()), encoding="utf-8")


class Serving:
    """The servers, the loads that they are put under, and what came of it."""

    def __init__(self, request: Mapping[str, Any], folder: Path):
        self.request, self.folder = request, folder
        self.rounds, self.seconds = request.get("rounds", 3), request.get("seconds", 5.0)
        self.cores = len(os.sched_getaffinity(0))
        self.loads = {name: WORKLOADS[name] for name in request.get("loads") or WORKLOADS}
        self.clients = {name: load.clients(self.cores) for name, load in self.loads.items()}
        self.requests: dict[str, int] = {}
        """Of each load in a round, as many for all servers."""
        self._load_processes: list[Contender] = []
        self._vision: str | None = None
        self.interpreters: dict[str, Any] = {}
        self.left_out: dict[str, str] = {}
        self.servers: list[dict[str, Any]] = []
        for contender in request["contenders"]:
            told = asked(contender, *(["server"] if contender.get("loops") else []))
            self.interpreters[contender["name"]] = told["interpreter"]
            for server, lacks in servers_of(contender, told):
                if lacks:
                    self.left_out[server["name"]] = lacks
                    say(f"{server['name']} is left out: {lacks}")
                else:
                    self.servers.append({**server, "number": len(self.servers)})
        self.measured: dict[str, Any] = {
            server["name"]: {"start_seconds": [], "loads": {}, "processes": []}
            for server in self.servers
        }

    def write_vision_model(self, folder: Path) -> None:
        """Make the model of the loads that ask about pictures, if there are any."""
        if any(load.vision for load in self.loads.values()):
            client = self.request["contenders"][0]
            command = [client["python"], _VISION, self.request["model"], folder]
            subprocess.run(command, env={**os.environ, **client["variables"]}, check=True)
            self._vision = str(folder)

    def start_clients(self, ending: ExitStack) -> None:
        """Load what makes the load, in as many processes as the machine's cores may need."""
        client = self.request["contenders"][0]
        variables = {**os.environ, **client["variables"]}
        for number in range(max(1, self.cores // _CORES_PER_CLIENT)):
            log = self.folder / f"load-{number}.log"
            command = [client["python"], _LOAD]
            load = Contender(f"load {number}", command, variables, log, self.folder)
            ending.callback(load.end)
            self._load_processes.append(load)
        for load in self._load_processes:
            load.answer(_LOAD_SECONDS)

    def turn(self, server: Mapping[str, Any], number: int) -> None:
        """Start a server, measure it in a round, and end it; anew for loads that need another."""
        measured = self.measured[server["name"]]
        for kind, (arguments, loads) in enumerate(self._kinds()):
            log = self.folder / f"server-{server['number']}-{kind}.log"
            variables = _variables(server, f"{number}-{kind}")
            options = [*_options({**self._arguments(), **arguments}), *server["arguments"]]
            began = time.monotonic()
            started = Server(server["name"], server["python"], options, variables, log)
            try:
                started.wait()
                seconds = time.monotonic() - began
                for name in loads:
                    done = self._under(started, name, number)
                    measured["loads"].setdefault(name, []).append(done)
                if kind == 0:
                    measured["start_seconds"].append(seconds)
                    measured["processes"] = processes(started.process.pid, variables)
            finally:
                end_all(started.process)
            say(f"{server['name']}: {', '.join(loads)}: measured, {seconds:.0f} s to start")

    def result(self) -> dict[str, Any]:
        """What was measured, and of what."""
        return {
            "interpreters": self.interpreters,
            "left_out": self.left_out,
            "loads": {
                name: {
                    "what": load.what,
                    "clients": self.clients[name],
                    "requests": self.requests[name],
                    "input_tokens": load.input_tokens,
                    "output_tokens": load.output_tokens,
                }
                for name, load in self.loads.items()
            },
            "contenders": self.measured,
        }

    def _kinds(self) -> Iterator[tuple[Mapping[str, Any], list[str]]]:
        """What servers are started with, each with the loads that need it so."""
        kinds: dict[str, list[str]] = {}
        for name, load in self.loads.items():
            asked = {"model": self._vision} if load.vision else {}
            kinds.setdefault(json.dumps({**load.server, **asked}), []).append(name)
        for arguments, loads in kinds.items():
            yield json.loads(arguments), loads

    def _arguments(self) -> dict[str, Any]:
        """Those of the engine, with room for as many clients as there ever are."""
        given, most = self.request.get("arguments", {}), max(self.clients.values())
        room = max(given.get("kv_cache_memory_bytes", 0), most * _KV_CACHE_BYTES_PER_CLIENT)
        return {
            "model": self.request["model"],
            **given,
            "max_num_seqs": most,
            "kv_cache_memory_bytes": room,
        }

    def _under(self, server: Server, name: str, number: int) -> dict[str, Any]:
        """A server under a load, when it is warm."""
        clients = self.clients[name]
        warming = self._ask(server, name, clients, seed=1)
        if name not in self.requests:
            warming = self._ask(server, name, 2 * clients, seed=2)
            wanted = warming["requests"] / warming["seconds"] * self.seconds
            self.requests[name] = clients * max(2, round(wanted / clients))
        leader = server.process.pid
        before = processor_seconds(leader)
        done = self._ask(server, name, self.requests[name], seed=1000 + number)
        spent = processor_seconds(leader) - before
        pss = sum(one["pss"] for one in processes(leader, {}))
        return {**done, "processor_seconds": spent, "pss": pss}

    def _ask(self, server: Server, name: str, requests: int, seed: int) -> dict[str, Any]:
        """Have the clients make so many requests, each process its part of them."""
        load, clients = self.loads[name], self.clients[name]
        processes = self._load_processes[: min(clients, len(self._load_processes))]

        def ask(number: int) -> dict[str, Any]:
            message = _message(server.url, load) | {
                "model": self._vision if load.vision else self.request["model"],
                "clients": _part(clients, number, len(processes)),
                "requests": _part(requests, number, len(processes)),
                "seed": 100 * seed + number,
            }
            return processes[number].ask(message, _ROUND_SECONDS)

        with ThreadPoolExecutor(len(processes)) as pool:
            return _together([*pool.map(ask, range(len(processes)))])


def _message(url: str, load: Workload) -> dict[str, Any]:
    return {
        "url": url,
        "input_tokens": load.input_tokens,
        "output_tokens": load.output_tokens,
        "options": dict(load.options),
    }


def _part(whole: int, number: int, parts: int) -> int:
    """Of so many, what one of some parts has."""
    return whole // parts + (number < whole % parts)


def _together(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What processes that made a load at once saw, as if it had been one."""
    seconds = max(part["seconds"] for part in parts)
    return {
        "seconds": seconds,
        "requests": sum(part["requests"] for part in parts),
        "tokens": sum(part["tokens"] for part in parts),
        "ttfts": [one for part in parts for one in part["ttfts"]],
        "itls": [one for part in parts for one in part["itls"]],
        "client_share": max(part["processor_seconds"] for part in parts) / seconds,
    }


def _variables(server: Mapping[str, Any], turn: str) -> dict[str, str]:
    """A server's whole environment; those that it is asked by are of this turn alone."""
    variables = {**os.environ, **server["variables"]}
    if probe := variables.get("SNAKEDEV_PROBE"):
        variables["SNAKEDEV_PROBE"] = f"{probe}.{turn}"
    return variables


def _options(arguments: Mapping[str, Any]) -> list[str]:
    """Arguments of vLLM's engine as options of its server."""
    named = {f"--{name.replace('_', '-')}": value for name, value in arguments.items()}
    return [name if value is True else f"{name}={value}" for name, value in named.items()]


if __name__ == "__main__":
    program(main)
