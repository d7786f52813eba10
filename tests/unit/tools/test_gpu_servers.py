"""Servers under load on a GPU machine, by the program of the benchmark report."""

import json
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.reports.bench.headline import headline
from tests.unit.reports.small_vllm import FILES
from tools.gpu.record import record
from tools.gpu.servers import lines, measured


@pytest.fixture
def options(tmp_path: Path) -> Namespace:
    """What servers.py is asked for, of two small engines."""
    for name, text in FILES.items():
        path = tmp_path / "vllm-installed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    python = tmp_path / "python" / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    request = {"prompts": ["a"], "engine": {"enforce_eager": True}}
    pin = {"version": "0.33.0", "source_key": "0123456789abcdef", "patches": 3}
    built = {"environment_key": "e", "model": "small", "model_key": "m", "pins": {"vllm": pin}}
    (tmp_path / "manifest.json").write_text(json.dumps({"request": request, "built": built}))
    return Namespace(
        folder=tmp_path,
        contenders=["installed:PYTHON_GIL=1", "installed"],
        api_servers=[1],
        loops=[2],
        loads=["single"],
        rounds=1,
        seconds=0.1,
        model=tmp_path / "model",
        logs=tmp_path / "logs",
        result=tmp_path / "result.json",
    )


def test_servers_are_compared_with_the_first(options: Namespace) -> None:
    said = [line.split(" of the first")[0] for line in lines(measured(options))]
    assert said == [
        "single: installed:PYTHON_GIL=1: 50.0 requests/s (50.0 to 50.0), 1.00",
        "single: installed: 100.0 requests/s (100.0 to 100.0), 2.00",
        "single: installed, one process, 2 loops: 400.0 requests/s (400.0 to 400.0), 8.00",
    ]

    # what the interpreter of a run environment says of itself
    result = json.loads(options.result.read_bytes())
    for name, state in result["interpreters"].items():
        state |= {"free_threaded": True, "gil_enabled": name.endswith("=1")}
    made = record(result)
    assert made.cores == result["cores"] and made.pins["vllm"].patches == 3
    assert made.server is not None
    assert [one.contender for one in made.server.servers] == [
        "GIL on",
        "GIL off",
        "GIL off, one process, 2 loops",
    ]
    assert headline(made).endswith("ours with the GIL on, under the load “single”.")
    # two with the GIL off are more than a report shows
    result["interpreters"]["installed:PYTHON_GIL=1"]["gil_enabled"] = False
    with pytest.raises(UserError, match="one contender as GIL off, GIL on, stock"):
        record(result)


def test_pictures_are_asked_of_a_vision_model(options: Namespace) -> None:
    options.loads = ["single", "images"]
    result = measured(options)
    assert [*result["loads"]] == ["single", "images"]
    for server in result["contenders"].values():
        assert [len(rounds) for rounds in server["loads"].values()] == [1, 1]
