"""Run a vLLM that unpack.py put there: `python3 run.py FOLDER VLLM`, one line of JSON.

Runs with an ordinary Python 3.12 or later and its standard library. VLLM is a layer's name without
`vllm-`: those of our wheels run in the unpacked interpreter, `stock` and what else begins so in the
machine's own Python. It answers the prompts of config.yaml and times 512 prompts of 128 new tokens;
the line says what came of it, and in what state the GIL of every process was.
"""

import argparse
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from snakedev.inside.bench.turns import end
from snakedev.machine import gpus

_INFERENCE = Path(__file__).resolve().parents[2] / "snakedev" / "inside"
_PROFILED = Path(__file__).resolve().with_name("profiled.py")
_BACKEND = re.compile(r"Using (\w+) attention backend|Using AttentionBackendEnum\.(\w+) backend")


def variables(folder: Path, name: str) -> dict[str, str]:
    """What the engine's processes see: this machine's own variables, and where the packages are."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return own | {
        "PYTHONPATH": f"{_INFERENCE / 'plugin'}{os.pathsep}{folder / f'vllm-{name}'}",
        "PYTHONUNBUFFERED": "1",
        "VLLM_PLUGINS": "snakedev_probe",
        "SNAKEDEV_PROBE": f"snakedev-{secrets.token_hex(6)}",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        # compiled with nvcc at the start otherwise; greedy answers do without
        "VLLM_USE_FLASHINFER_SAMPLER": "0",
        "VLLM_CACHE_ROOT": str(folder / "cache" / name / "vllm"),
        "TRITON_CACHE_DIR": str(folder / "cache" / name / "triton"),
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "cache" / name / "inductor"),
        "FLASHINFER_WORKSPACE_BASE": str(folder / "cache" / name),
    }


def layer_and_settings(contender: str) -> tuple[str, dict[str, str]]:
    """What `layer:NAME=VALUE,NAME=VALUE` names: a layer, and variables of its own."""
    layer, _, settings = contender.partition(":")
    return layer, dict(setting.split("=", 1) for setting in settings.split(",") if setting)


def interpreter(folder: Path, name: str) -> str:
    """The Python that a layer's vLLM runs in."""
    return str(folder / ("stock" if stock(name) else "python") / "bin" / "python3")


def stock(name: str) -> bool:
    """Whether a layer's vLLM is made for the machine's Python: the official one, or like it."""
    return name.startswith("stock")


def request(folder: Path, engine: dict, model: Path | None = None) -> dict:
    """What the packed request asks of the packed model, or of another, with arguments of the engine
    changed."""
    asked = json.loads((folder / "manifest.json").read_bytes())["request"]
    return asked | {"model": str(model or folder / "model"), "engine": asked["engine"] | engine}


def states(process: dict) -> dict:
    """Of what a process said of itself, what tells of its GIL."""
    return {key: process[key] for key in ("role", "free_threaded", "gil_enabled", "gil_setting")}


def run(options: argparse.Namespace) -> dict:
    """Start the engine, and read off its result and log what the line says."""
    asked = request(options.folder, json.loads(options.engine), options.model)
    python = interpreter(options.folder, options.vllm)
    environment = variables(options.folder, options.vllm)
    program, profile = [_INFERENCE / "answer.py"], []
    if options.profile:
        program, profile = [_PROFILED], [options.profile]
        environment["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    environment |= dict(setting.split("=", 1) for setting in options.set)
    with tempfile.TemporaryDirectory() as scratch:
        given, result = Path(scratch, "request"), Path(scratch, "result")
        given.write_text(json.dumps(asked))
        started = time.monotonic()
        with options.log.open("w") as log:
            engine = subprocess.Popen(
                [python, *program, given, result, *profile],
                env=environment,
                cwd=scratch,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                engine.wait(options.limit)
            except subprocess.TimeoutExpired:
                log.write(f"ended after {options.limit} s\n")
            finally:
                status = end(engine)
        seconds = time.monotonic() - started
        found = json.loads(result.read_bytes()) if result.is_file() else {}
    text = options.log.read_text(errors="replace")
    line = {
        "vllm": options.vllm,
        "status": status,
        "seconds": round(seconds, 1),
        "gpu": "\n".join(map(", ".join, gpus.nvidia("name", "driver_version"))),
        "engine": asked["engine"],
        "set": options.set,
        "attention": sorted({a or b for a, b in _BACKEND.findall(text)}),
        "versions": found.get("versions"),
        "answers": [answer["text"] for answer in found.get("answers", ())],
        "processes": [states(process) for process in found.get("processes", ())],
    }
    if timed := found.get("throughput"):
        line["rounds"] = [round(seconds, 3) for seconds in timed["rounds"]]
        line["tokens_per_second"] = round(timed["tokens"] / median(timed["rounds"]))
    return line


def main() -> None:
    """Run, print the line, and the log's end when something failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("folder", type=lambda text: Path(text).absolute())
    parser.add_argument("vllm")
    parser.add_argument("--log", type=Path, default=Path("run.log"))
    parser.add_argument("--engine", default="{}", help="JSON: arguments of vLLM's engine to change")
    parser.add_argument("--model", type=lambda text: Path(text).absolute())
    parser.add_argument("--limit", type=float, default=300, help="seconds, after which it is ended")
    parser.add_argument(
        "--profile",
        type=lambda text: Path(text).absolute(),
        help="run the engine in the same process, and write a profile of the timed part here",
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    line = run(options)
    if line["status"]:
        sys.stderr.write(options.log.read_text(errors="replace")[-6000:])
    print(json.dumps(line))
    sys.exit(line["status"] != 0)


if __name__ == "__main__":
    main()
