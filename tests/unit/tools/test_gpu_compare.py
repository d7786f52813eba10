"""Engines that take turns on a machine: each has its rounds, and one that ends is named."""

import json
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from tools.gpu.compare import compare

# What of vLLM an engine uses, with a speed that a setting says.
ENGINE = """
import os, sys, time
from types import SimpleNamespace as Of

if "BROKEN" in os.environ:
    sys.exit("no GPU here")

class SamplingParams:
    def __init__(self, max_tokens, **others):
        self.max_tokens = max_tokens

class LLM:
    def __init__(self, model, **engine):
        assert engine["kv_cache_memory_bytes"]

    def generate(self, prompts, sampling, use_tqdm):
        time.sleep(float(os.environ.get("SECONDS", 0.05)))
        answer = Of(token_ids=[0] * sampling.max_tokens)
        return [Of(outputs=[answer]) for prompt in prompts]
"""


@pytest.fixture
def options(tmp_path: Path) -> Namespace:
    package = tmp_path / "vllm-stock" / "vllm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(ENGINE)
    python = tmp_path / "stock" / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    throughput = {"prompts": 5, "tokens": 20, "rounds": 3}
    request = {"prompts": ["a", "b"], "throughput": throughput, "engine": {}}
    (tmp_path / "manifest.json").write_text(json.dumps({"request": request}))
    return Namespace(
        folder=tmp_path,
        contenders=["stock", "stock:SECONDS=0.2"],
        rounds=3,
        logs=tmp_path / "logs",
        engine="{}",
        model=None,
        limit=60,
        seconds=60,
        keep_going=False,
        one_by_one=False,
    )


@pytest.mark.parametrize("one_by_one", [False, True])
def test_contenders_take_turns_and_are_compared_with_the_first(
    options: Namespace, one_by_one: bool, capfd
) -> None:
    options.one_by_one = one_by_one
    found = compare(options)
    assert list(found) == ["stock", "stock:SECONDS=0.2"]
    assert found["stock"]["ratio"] == 1
    assert found["stock:SECONDS=0.2"]["ratio"] < 0.6
    assert 100 < found["stock:SECONDS=0.2"]["tokens_per_second"] <= 100 / 0.2
    said = capfd.readouterr().out
    assert said.count("ready, {'gil': True}") == 2 and said.count("tokens/s:") == 3


def test_an_engine_that_does_not_start_is_named_with_the_end_of_its_log(options: Namespace) -> None:
    options.contenders[1] = "stock:BROKEN=1"
    with pytest.raises(RuntimeError, match=r"^stock:BROKEN=1: no answer; .*1-stock.log ends with"):
        compare(options)
    assert "no GPU here" in (options.logs / "1-stock.log").read_text()


def test_the_others_go_on_without_it_where_that_is_wished(options: Namespace, capfd) -> None:
    options.contenders.append("stock:BROKEN=1")
    options.keep_going = True
    assert list(compare(options)) == ["stock", "stock:SECONDS=0.2"]
    assert "stock:BROKEN=1: no answer" in capfd.readouterr().out
