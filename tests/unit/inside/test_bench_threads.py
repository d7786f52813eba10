"""Threads that do vLLM's front end's work at once, and how many of them are measured."""

import json
import platform
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from snakedev.inside.bench import scaling
from snakedev.inside.bench.front_end import Work, WrongResult
from snakedev.inside.bench.scaling import thread_counts
from snakedev.inside.bench.threads import at_once


@pytest.mark.parametrize(
    ("limit", "cores", "counts"),
    [
        (None, 2, [1, 2, 4]),
        (None, 6, [1, 2, 4, 6, 8, 12]),
        (None, 16, [1, 2, 4, 8, 16]),
        (None, 24, [1, 2, 4, 8, 16, 24]),
        (3, 8, [1, 2, 3]),
        (1, 4, [1]),
        (6, 4, [1, 2, 4, 6]),
    ],
)
def test_threads_double_up_to_the_cores(limit: int | None, cores: int, counts: list[int]) -> None:
    assert thread_counts(limit, cores) == counts


def test_all_threads_do_the_same_work_at_once() -> None:
    barrier = threading.Barrier(3, timeout=60)

    def make() -> Work:
        def work(items: int) -> int:
            if items > 1:
                barrier.wait()  # which one thread alone could not pass
            return 10 * items

        return work

    done = at_once(make, threads=3, items=7)
    assert done["units"] == 3 * 70 and done["seconds"] > 0


def test_a_wrong_result_in_any_thread_ends_the_round() -> None:
    numbers = iter(range(3))

    def make() -> Work:
        number = next(numbers)

        def work(items: int) -> int:
            if number == 1:
                raise WrongResult("other tokens")
            return items

        return work

    with pytest.raises(WrongResult, match="other tokens"):
        at_once(make, threads=3, items=7)


PACKAGES = {
    "torch.py": "def set_num_threads(count): pass\n",
    "vllm/engine/arg_utils.py": """
class EngineArgs:
    def __init__(self, model, **others):
        self.model = model

    def create_engine_config(self):
        return self.model
""",
    "vllm/renderers/registry.py": """
import itertools, time

class Tokenizer:
    def encode(self, text, **options):
        return list(text.encode())

class Renderer:
    default_cmpl_tok_params = None
    calls = itertools.count()

    def get_tokenizer(self):
        return Tokenizer()

    def tokenize_prompt(self, prompt, params):
        if next(self.calls) == 1:
            time.sleep(0.2)  # in the first turn, and never again
        return {"prompt_token_ids": list(prompt["prompt"].encode())}

def renderer_from_config(config):
    return Renderer()
""",
}
"""What the program calls of vLLM for one part, and no more."""


def test_contenders_take_turns_in_one_thread_and_several(tmp_path: Path) -> None:
    for name, text in PACKAGES.items():
        path = tmp_path / "packages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    variables = {"PYTHONPATH": str(tmp_path / "packages")}
    request = {
        "model": "tiny",
        "threads": 2,
        "rounds": 2,
        "seconds": 0.05,
        "parts": ["tokenise"],
        "contenders": [
            {"name": name, "python": sys.executable, "variables": variables, "single": single}
            for name, single in (("both", False), ("alone", True))
        ],
    }
    given, result = tmp_path / "request.json", tmp_path / "result.json"
    given.write_text(json.dumps(request))
    subprocess.run([sys.executable, scaling.__file__, given, result], check=True, timeout=120)
    found = json.loads(result.read_bytes())
    assert found["contenders"]["both"]["python"] == platform.python_version()
    rates = found["parts"]["tokenise"]["rates"]
    assert {
        name: {n: len(seen) for n, seen in counts.items()} for name, counts in rates.items()
    } == {
        "both": {"1": 2, "2": 2},
        "alone": {"1": 2},
    }
    # as many as fill a round, though the first turn had time for one
    assert all(counts["1"] > 10 for counts in found["parts"]["tokenise"]["items"].values())
    assert all(rate > 0 for counts in rates.values() for seen in counts.values() for rate in seen)
