"""A container of the image: `vllm serve` answers an OpenAI client, the GIL off in every process.

It runs as the image says, without capabilities and on a root that is read-only.

Debian's podman and runc run it: `apt-get install --no-install-recommends podman runc`.
"""

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from snakedev.inside.plugin import snakedev_probe
from tests.e2e.conftest import Clone
from tests.podman import HERE, LESS, podman_of
from tests.project import PROJECT

pytestmark = pytest.mark.e2e

RUN = "snakedev-image-test"
"""Names the sockets on which the container's processes answer."""
SECONDS = 900
# as docs/how-to/container-images.md says: vLLM's processes hand each other data in /dev/shm
OPTIONS = ("--shm-size=1g", "--read-only", "--tmpfs=/home/vllm")
# Who runs there, and what could compile.
LOOK = "id -u; for name in cc gcc g++ c++ clang nvcc ld as make; do ! command -v $name; done"
ASK = """
import sys, openai
client = openai.OpenAI(base_url=sys.argv[1], api_key="none")
(model,) = client.models.list().data
answer = client.completions.create(
    model=model.id, prompt="The capital of France is", max_tokens=8, temperature=0)
print(answer.choices[0].text)
"""


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def timed(part: str) -> Iterator[None]:
    """Say how long a part of the test took."""
    began = time.monotonic()
    yield
    print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)


@contextmanager
def served(podman: list[str], name: str, model: Path, port: int) -> Iterator[str]:
    """A container that serves a model; yields its id."""
    plugin = PROJECT / "snakedev/inside/plugin"
    options = ["--detach", "--network=host", *OPTIONS, *LESS]
    options += [f"--volume={model}:/model:ro", f"--volume={plugin}:/probe:ro"]
    variables = {
        "PYTHONPATH": "/probe",
        "VLLM_PLUGINS": "snakedev_probe",
        snakedev_probe.VARIABLE: RUN,
        "HF_HUB_OFFLINE": "1",
    }
    options += [f"--env={key}={value}" for key, value in variables.items()]
    engine = ["--host=127.0.0.1", f"--port={port}", "--max-model-len=512", "--max-num-seqs=4"]
    engine += [f"--kv-cache-memory-bytes={1 << 28}", "--dtype=float32"]
    command = [*podman, "run", *options, name, "/model", *engine]
    container = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    try:
        yield container.strip()
    finally:
        logs = subprocess.run(
            [*podman, "logs", container.strip()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        print(logs.stdout)
        subprocess.run([*podman, "rm", "--force", "--time=10", container.strip()], check=True)


def wait_for(podman: list[str], container: str, port: int) -> None:
    """Return when the server is ready."""
    end = time.monotonic() + SECONDS
    state = [*podman, "inspect", "--format={{.State.Status}}", container]
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except OSError:
            status = subprocess.run(state, check=True, stdout=subprocess.PIPE, text=True).stdout
            assert status.strip() == "running"
            time.sleep(2)
    raise AssertionError(f"no answer within {SECONDS} s")


@HERE
def test_a_container_serves_with_the_gil_off(clone: Clone, tmp_path: Path) -> None:
    with timed("image"):
        clone.snakemake("image_cpu", "models", "env_cpu")
    archive = clone.folder / "results/image/cpu.tar"
    record = json.loads(archive.resolve().with_name("image.json").read_bytes())
    (model,) = (clone.folder / "results/models/smollm2-135m").iterdir()
    with podman_of(tmp_path) as podman:
        with timed("podman load"):
            load = [*podman, "load", "--input", archive]
            loaded = subprocess.run(load, check=True, stdout=subprocess.PIPE, text=True)
        assert record["name"] in loaded.stdout
        look = ["run", "--rm", *OPTIONS, *LESS, "--entrypoint=sh", record["name"], "-c", LOOK]
        found = subprocess.run([*podman, *look], check=True, stdout=subprocess.PIPE, text=True)
        assert found.stdout == "1000\n"
        port = free_port()
        with served(podman, record["name"], model, port) as container:
            with timed("vllm serve is ready"):
                wait_for(podman, container, port)
            python = clone.folder / "results/envs/run-cpu/bin/python"
            ask = [python, "-c", ASK, f"http://127.0.0.1:{port}/v1"]
            with timed("an OpenAI client's answer"):
                answer = subprocess.run(ask, check=True, stdout=subprocess.PIPE, text=True)
            print(answer.stdout)
            assert "Paris" in answer.stdout
            processes = snakedev_probe.ask(RUN)
            roles = {str(process["role"]) for process in processes}
            assert {"front end", "engine core"} <= roles and any("worker" in role for role in roles)
            assert not any(process["gil_enabled"] for process in processes)
            assert all(process["gil_setting"] == "0" for process in processes)
