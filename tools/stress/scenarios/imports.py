"""Imports of vLLM's modules from many threads at once, each time in a fresh process."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from random import Random

from stress.scenario import Finding, Operation, Scenario

_TIMEOUT_SECONDS = 240
_MODULES = (
    "vllm",
    "vllm.sampling_params",
    "vllm.envs",
    "vllm.logger",
    "vllm.platforms",
    "vllm.utils.import_utils",
    "vllm.tokenizers",
    "vllm.config",
    "vllm.engine.arg_utils",
    "vllm.v1.engine",
    "vllm.v1.structured_output",
    "vllm.v1.serial_utils",
    "vllm.tool_parsers",
    "vllm.reasoning",
    "vllm.model_executor.models.registry",
    "vllm.entrypoints.llm",
    "vllm.entrypoints.openai.api_server",
    "vllm.outputs",
    "vllm.multimodal",
    "torch",
    "transformers",
    "pydantic",
    "xgrammar",
    "zmq.asyncio",
    "numpy",
    "prometheus_client",
)
_PROGRAM = textwrap.dedent(
    """\
    import faulthandler, importlib, sys, threading, traceback

    seconds, *groups = sys.argv[1:]
    faulthandler.enable()
    faulthandler.dump_traceback_later(float(seconds), exit=True)
    start, failed = threading.Barrier(len(groups)), []

    def load(names):
        start.wait()
        for name in names.split(","):
            try:
                importlib.import_module(name)
            except BaseException:
                failed.append(f"import {name}\\n{traceback.format_exc()}")

    threads = [threading.Thread(target=load, args=(names,)) for names in groups]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        print("\\n".join(failed), file=sys.stderr)
        print(failed[0].strip().splitlines()[-1], file=sys.stderr)
    if sys._is_gil_enabled():
        print("the GIL is on", file=sys.stderr)
        sys.exit(3)
    sys.exit(2 if failed else 0)
    """
)
_TAIL = 60


class Stress(Scenario):
    """Each operation is a process whose threads import modules in orders of their own."""

    threads = 1
    limit_seconds = _TIMEOUT_SECONDS + 60

    def set_up(self) -> None:
        self.gil = os.environ.get("PYTHON_GIL", "0")

    def operations(self) -> Mapping[str, Operation]:
        return {"import": self._import}

    def _import(self, random: Random) -> None:
        groups = []
        for _ in range(random.randrange(4, 9)):
            names = random.sample(_MODULES, random.randrange(2, 7))
            groups.append(",".join(names))
        command = [sys.executable, "-X", f"gil={self.gil}", "-c", _PROGRAM]
        done = subprocess.run(
            [*command, str(_TIMEOUT_SECONDS), *groups],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS + 30,
        )
        if done.returncode == 0 or (done.returncode == 3 and self.gil == "1"):
            return
        lines = done.stderr.splitlines()
        print(f"imports {' '.join(groups)}", *lines, sep="\n", flush=True)
        last = lines[-1] if lines else ""
        if done.returncode < 0:
            fatal = next((line for line in lines if line.startswith("Fatal Python error")), last)
            raise Finding(f"signal {-done.returncode}: {fatal}", "crash")
        if any(line.startswith("Timeout (") for line in lines):
            shown = "\n".join(lines[-_TAIL:])
            raise Finding(f"not imported in {_TIMEOUT_SECONDS} s:\n{shown}", "deadlock")
        raise Finding(last, {2: "exception", 3: "gil"}.get(done.returncode, "exception"))
