"""What a smoke run asks of vLLM, on a CPU and on a GPU."""

import hashlib
import json
import sys
from pathlib import Path

import pytest

from snakedev.config.reports import Prompt, Throughput
from snakedev.environments.environment import EnvironmentRecord
from snakedev.inference.engine import engine_arguments, request, settings
from snakedev.inference.model import ModelFile, ModelRecord
from snakedev.inference.smoke import run_smoke
from snakedev.store.layout import Layout
from snakedev.store.specs import SmokeSpec


@pytest.fixture
def model(tmp_path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 8192}))
    return tmp_path


def test_a_cpu_without_bfloat16_computes_in_float32(model):
    assert engine_arguments(model, 16, frozenset({"avx2"}))["dtype"] == "float32"
    assert engine_arguments(model, 16, frozenset({"avx2", "avx512_bf16"}))["dtype"] == "auto"


def test_a_gpu_computes_in_the_model_s_own_type_whatever_the_cpu_can_do(model):
    made = engine_arguments(model, 16, None)
    assert (made["dtype"], made["max_num_seqs"], made["max_model_len"]) == ("auto", 16, 2048)


def test_a_cpu_run_is_bound_to_cores_and_knows_of_no_toolkit():
    found = settings("cpu", 1, None)
    assert found["VLLM_CPU_OMP_THREADS_BIND"].isdigit()
    assert set(found) == {"VLLM_CPU_OMP_THREADS_BIND", "TORCH_COMPILE_DISABLE"}


def test_a_gpu_run_finds_nvcc_in_its_environment_and_has_no_settings_of_a_cpu():
    found = settings("cuda", 8, Path("/envs/run-cuda/lib/nvidia/cu13"))
    assert found["CUDA_HOME"] == "/envs/run-cuda/lib/nvidia/cu13"
    assert found["VLLM_USE_FLASHINFER_SAMPLER"] == "0"
    assert not any(name.startswith("VLLM_CPU") for name in found)


def test_a_request_holds_prompts_and_the_timed_part():
    prompts = (Prompt(text="The capital of France is", expect="Paris"),)
    asked = json.loads(request(prompts, 8, Throughput(prompts=4, tokens=2), Path("/m"), {"a": 1}))
    assert asked["prompts"] == ["The capital of France is"]
    assert asked["throughput"] == {"prompts": 4, "tokens": 2, "rounds": 3}
    assert (asked["model"], asked["engine"]) == ("/m", {"a": 1})


def test_a_run_that_ended_early_says_why_on_the_terminal(tmp_path, running, capsys):
    spec = SmokeSpec(
        variant="cpu",
        environment_key="0" * 16,
        model_key="1" * 16,
        max_tokens=8,
        prompts=(Prompt(text="Hello"),),
        throughput=Throughput(prompts=4, tokens=2),
        recipe_number=1,
        model="tiny",
        environment_name="run-cpu",
    )
    layout = Layout(root=tmp_path / "results")
    folder = layout.model(spec.model, spec.model_key)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    config = ModelFile(name="config.json", size=2, sha256=hashlib.sha256(b"{}").hexdigest())
    ModelRecord(
        key=spec.model_key,
        name="tiny",
        source={},
        architecture="none",
        dtype="none",
        files=(config,),
        size=2,
        seconds=1.0,
    ).write(folder / "model.json")
    program = layout.environment(spec.environment_name, spec.environment_key) / "bin" / "python"
    program.parent.mkdir(parents=True)
    EnvironmentRecord(
        key=spec.environment_key,
        name=spec.environment_name,
        lock="run-cpu.lock",
        lock_digest="0" * 64,
        python="3.14.0",
        packages=(),
        wheels=(),
        cuda_toolkit=None,
        conflicts=(),
        bytes=0,
        seconds=1.0,
    ).write(program.parents[1] / "env.json")
    vllm = "raise OSError('these weights are broken')"
    (tmp_path / "vllm.py").write_text(vllm)
    program.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} PYTHON_GIL= exec {sys.executable} "$@"\n')
    program.chmod(0o755)
    record = run_smoke(spec, layout, 1, running)
    assert not record.passed
    said = capsys.readouterr().err
    assert "[test] FAILED: engine: python ended with exit status 1\n" in said
    assert "[test] | OSError: these weights are broken\n" in said
    assert "OSError: these weights are broken" in record.failure
