"""A real CUDA wheel in minutes: vLLM's own kernels, and compiled here only what touches Python."""

import json
import subprocess

import pytest
import yaml

from tests.e2e.conftest import Clone
from tests.small_project import PROJECT

pytestmark = pytest.mark.e2e

OTHERS = ("oss-harmony", "outlines-core", "safetensors")


@pytest.fixture(scope="module")
def cuda(tmp_path_factory) -> Clone:
    """A fresh clone, to build wheels for CUDA in; the tools are those that run the tests."""
    return Clone(tmp_path_factory.mktemp("cuda") / "snakedev-vllm", PROJECT / ".venv/bin")


def build(clone: Clone, *architectures: str) -> set[str]:
    """Build the CUDA wheels for a list of architectures; returns the jobs that ran."""
    configure(clone, *architectures)
    return clone.snakemake("wheels_cuda", "--configfile", "cuda.yaml").named_jobs


def configure(clone: Clone, *architectures: str) -> None:
    settings = {
        "repos": {name: {"enabled": False} for name in OTHERS},
        "variants": {"cuda": {"kernels": "upstream", "architectures": [*architectures]}},
    }
    (clone.folder / "cuda.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def test_upstream_s_kernels_make_a_wheel_for_every_gpu_that_they_are_for(cuda):
    assert "wheel vllm" in build(cuda, "9.0a")
    (file,) = cuda.folder.glob("results/wheels/cuda/vllm/*/wheel.json")
    record = json.loads(file.read_bytes())
    pinned = yaml.safe_load((cuda.folder / "config.yaml").read_text())["repos"]["vllm"]["kernels"]
    assert record["borrowed"]["sha256"] == pinned["cuda"]["sha256"]
    assert record["network"] == "none"
    own = {"vllm.cumem_allocator", "vllm.fs_io_C", "vllm.spinloop"}
    assert {name for name, state in record["gil"].items() if state == "off"} == own
    # they have code for this one, too
    assert build(cuda, "8.0") == set()
    assert build(cuda, "9.0a", "12.0") == set()


def test_a_gpu_that_the_kernels_are_not_for_is_refused_in_a_line(cuda):
    configure(cuda, "8.7")
    done = subprocess.run(
        [cuda.tools / "snakemake", "wheels_cuda", "--configfile", "cuda.yaml"],
        cwd=cuda.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode
    (line,) = [line for line in done.stderr.splitlines() if "8.7" in line]
    assert "variants.cuda.architectures: 8.7: " in line
    assert "variants.cuda.kernels: source" in line
