"""What an engine's processes say of themselves to the plugin of a smoke run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import PROJECT

PLUGIN = PROJECT / "snakedev" / "inside" / "plugin"
ENGINE = """
import json, multiprocessing, time
import snakedev_probe as probe

def engine_core(asked):
    if {method!r} == "spawn":
        probe.serve()
    asked.wait()

if __name__ == "__main__":
    probe.serve()
    context = multiprocessing.get_context({method!r})
    asked = context.Event()
    core = context.Process(target=engine_core, args=(asked,), name="EngineCore")
    core.start()
    deadline = time.monotonic() + 30
    while len(said := probe.ask({run!r})) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    asked.set()
    core.join()
    print(json.dumps([[state["role"], state["pid"]] for state in said] + [core.pid]))
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_process_answers_however_it_was_started(tmp_path: Path, method: str) -> None:
    # vLLM forks its engine core for CUDA, after plugins were loaded, and starts it anew for CPUs
    engine = tmp_path / "engine.py"
    # sockets are seen by all of a machine, other runs of this test among them
    run = f"test-{method}-{os.getpid()}"
    engine.write_text(ENGINE.format(method=method, run=run), encoding="utf-8")
    variables = {"PYTHONPATH": str(PLUGIN), "SNAKEDEV_PROBE": run}
    done = subprocess.run(
        [sys.executable, engine], env={**os.environ, **variables}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *said, core = json.loads(done.stdout)
    assert sorted(role for role, _ in said) == ["engine core", "front end"]
    assert dict(said)["engine core"] == core
