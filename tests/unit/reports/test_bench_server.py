"""Servers that take turns, on a small vLLM whose server and processes are real."""

import json
from pathlib import Path

import pytest

from snakedev.base.process import CommandError
from snakedev.config.reports import BenchReport, ServerBench
from snakedev.inside.bench.server import asked, servers_of
from snakedev.inside.bench.workloads import WORKLOADS
from snakedev.reports.bench.record import OFF, ON
from snakedev.reports.bench.requests import part_request
from snakedev.reports.bench.verdict import comparisons, verdict
from tests.unit.reports.bench_records import TIMES
from tests.unit.reports.small_vllm import REFUSING, SERVE, Bench


def test_servers_are_measured_in_turns_each_alone(bench: Bench) -> None:
    wanted = ServerBench(loads=["structured", "embeddings"], rounds=1, seconds=0.5, loops=[1, 2])
    server = bench.run(parts=("server",), server=wanted).server
    names = [one.contender for one in server.servers]
    one, two = f"{OFF}, one process", f"{OFF}, one process, 2 loops"
    assert names == [ON, f"{ON}, 2 API servers", OFF, one, two]
    assert all(len(one.start_seconds) == 1 for one in server.servers)
    structured, _ = server.loads
    assert structured.clients > 1 and structured.requests % structured.clients == 0
    # 20 ms each with the GIL, 10 without, 5 in one process, and half of that in two loops
    rates = [one.requests_per_second for one in server.of_load("structured")]
    assert rates == [pytest.approx([rate]) for rate in (50, 50, 100, 200, 400)]
    assert server.under(OFF, "structured").tokens_per_second == pytest.approx([3200])
    assert server.under(OFF, "embeddings").tokens_per_second == pytest.approx([3200])
    many = server.under(f"{ON}, 2 API servers", "structured")
    assert min(many.pss) > 1.5 * max(server.under(ON, "structured").pss)
    assert all(seconds >= 0 for one in server.measured for seconds in one.processor_seconds)
    latency = server.under(ON, "embeddings")
    assert latency.ttft.p99 == pytest.approx(100) and latency.itl is None
    assert [one.ratio for one in comparisons(server)] == pytest.approx([8, 8])
    assert f"{TIMES}8.00 the requests per second of ours with the GIL on, under" in verdict(server)
    assert not server.left_out


def test_what_a_vllm_cannot_do_is_left_out_and_said(bench: Bench) -> None:
    contender = {
        "name": OFF,
        "python": str(bench.layout.environment("run-cpu", "0123456789abcdef") / "bin/python"),
        "variables": {},
        "loops": [1, 2],
    }

    def left_out() -> dict[str, str | None]:
        found = servers_of(contender, asked(contender, "server"))
        return {server["name"].removeprefix(OFF): why for server, why in found}

    assert set(left_out().values()) == {None}
    bench.put({"vllm/entrypoints/cli/serve.py": SERVE.replace("LOOPS", "")})
    without = "this vLLM's server has no --api-server-threads"
    assert left_out() == {"": None, ", one process": None, ", one process, 2 loops": without}
    bench.put({"vllm/v1/engine/core_client.py": REFUSING})
    refused = "not in one process"
    assert left_out() == {"": None, ", one process": refused, ", one process, 2 loops": refused}


def test_as_many_threads_compute_wherever_the_engine_is() -> None:
    variables = {"VLLM_CPU_OMP_THREADS_BIND": "0,2,4", "PYTHON_GIL": "0"}
    contenders = [{"name": OFF, "python": "python", "variables": variables}]
    asked_for = part_request("server", BenchReport(), Path("tiny"), {}, contenders)
    (contender,) = asked_for["contenders"]
    can = {"one_process": None, "loops": None}
    found = {server["name"]: server["variables"] for server, _ in servers_of(contender, can)}
    # where it has a process of its own, vLLM keeps one core free
    assert found[OFF] == {"PYTHON_GIL": "0"}
    one = {"PYTHON_GIL": "0", "OMP_NUM_THREADS": "2", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
    assert found[f"{OFF}, one process"] == one


def test_a_server_that_does_not_answer_is_named_with_the_end_of_its_log(bench: Bench) -> None:
    (bench.model / "broken-server").touch()
    with pytest.raises(CommandError) as caught:
        bench.run(parts=("server",))
    told = "\n".join(caught.value.tail)
    assert "GIL on: the server does not answer" in told and "the port is taken" in told


def test_loads_are_those_of_the_configuration() -> None:
    described = json.loads(json.dumps(ServerBench.model_json_schema()))
    assert described["properties"]["loads"]["items"]["enum"] == [*WORKLOADS]
    assert {name: one.clients(2) for name, one in WORKLOADS.items()} == {
        "single": 1,
        "short": 32,
        "structured": 32,
        "embeddings": 32,
        "images": 16,
    }
    assert WORKLOADS["short"].clients(64) == 256
