"""Servers under load on a GPU machine, by the program of the benchmark report."""

import json
import sys
from argparse import Namespace
from pathlib import Path

from tests.unit.reports.small_vllm import FILES
from tools.gpu.servers import lines, measured


def test_servers_are_compared_with_the_first(tmp_path: Path) -> None:
    for name, text in FILES.items():
        path = tmp_path / "vllm-installed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    python = tmp_path / "python" / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    request = {"prompts": ["a"], "engine": {"enforce_eager": True}}
    (tmp_path / "manifest.json").write_text(json.dumps({"request": request}))
    options = Namespace(
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
    said = [line.split(" of the first")[0] for line in lines(measured(options))]
    assert said == [
        "single: installed:PYTHON_GIL=1: 50.0 requests/s (50.0 to 50.0), 1.00",
        "single: installed: 100.0 requests/s (100.0 to 100.0), 2.00",
        "single: installed, one process, 2 loops: 400.0 requests/s (400.0 to 400.0), 8.00",
    ]
