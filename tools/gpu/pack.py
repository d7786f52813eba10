"""Pack a run environment for CUDA to be carried to a GPU machine that reaches no package registry.

Run from the project after `snakemake env_cuda smoke_report`:
`python -m tools.gpu.pack FOLDER [--machine LIST] [--stock PYTHON] [--wheel NAME=WHEEL ...]`. FOLDER
then has `loads/1`, `loads/2` and so on, each of at most 60 MB, to be carried one by one;
`unpack.py` puts them together, `run.py` runs what came of it.

What travels are layers: the interpreter with its packages, the model, each vLLM, and the packages
of a stock vLLM for the machine's own Python. Libraries travel without what that GPU machine never
reads (thin.py), and what its Python lends stays here (lender.py). A file that two layers have
travels once, and a layer that did not change is not compressed again.
"""

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.yaml_file import read_yaml
from snakedev.config.read import check
from snakedev.environments.environment import EnvironmentRecord
from snakedev.environments.stock import stock_environment
from snakedev.inference.engine import request
from snakedev.store.layout import Layout
from snakedev.store.specs import WheelSpec
from snakedev.wheels.record import WheelRecord
from tools.benchmarks.gpu import ENGINE, TIMED
from tools.gpu import lender
from tools.gpu.chunks import Chunks, Tree, archive, files, fill
from tools.gpu.thin import thinned
from tools.project import PROJECT

LOAD_BYTES = 60_000_000
"""What one load may have, compressed."""
_MODEL = "smollm2-135m"

_LEFT_OUT = (
    "*/__pycache__",
    # what the machine's CUDA toolkit has, if it compiles
    "nvidia/*/bin",
    "nvidia/*/include",
    "nvidia/*/lib64",
    "nvidia/*/nvvm",
    # of cuDNN, all but what torch is linked to: models of text do without convolutions
    "nvidia/cudnn/lib/libcudnn_*",
    # static libraries, what measures kernels, and what is for other versions of CUDA
    "*.a",
    "triton/backends/nvidia/lib/cupti*",
    "triton/instrumentation",
    "triton/backends/nvidia/bin/ptxas-blackwell",
    "nvidia/cu13/lib/libnvperf*",
    "nvidia/cu13/lib/*.alt.*",
    "nvidia_cutlass_dsl/cu12",
    "nvidia_cutlass_dsl_libs_cu12*",
    "nvidia_cutlass_dsl/dsl_packages/cutlass/_mlir/_mlir_libs/_cutlass_ir.cu12*",
    "nccl/*/lib/cu12",
    # compilers of kernels for other models
    "tilelang*",
    "tokenspeed_*",
    "tvm",
    "z3*",
    # images, sound and video
    "cv2",
    "opencv_python_headless*",
    "PyNvVideoCodec*",
    "pynvvideocodec*",
    "torchaudio*",
    "torchcodec*",
    # FlashAttention for GPUs before 9.0, and the server written in Rust
    "vllm/borrowed/lib_vllm_fa2_C*",
    "vllm/vllm_flash_attn/_vllm_fa2_C*",
    "vllm/vllm-rs",
)
_VLLM = ("vllm", "vllm-*.dist-info")
_OWN = ("numpy*", "numba*", "llvmlite*")
"""What a stock vLLM finds in the machine's own Python, where that is listed."""
_ONLY_OURS = ("nvidia_cutlass_dsl*", "quack*")
"""What a stock vLLM does without where FlashAttention 3 is used."""
_LIBRARY = re.compile(r"\.so(\.\d+)*$")


def layers(options: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, Tree]]:
    """The layers by name; ``scratch`` takes what has to be made first."""
    folder = site(options.environment)
    tree = files(options.interpreter, "python", ["lib/python*/site-packages", "*/__pycache__"])
    yield "interpreter", tree
    home = f"python/{folder.relative_to(options.environment)}"
    yield "packages", files(folder, home, (*_LEFT_OUT, *_VLLM))
    yield "model", files(options.model, "model")
    if options.stock:
        theirs = site(options.stock)
        home = f"stock/{theirs.relative_to(options.stock)}"
        own = [name for name in _OWN if name.rstrip("*") in options.machine]
        yield "stock", files(theirs, home, (*_LEFT_OUT, *own, *_ONLY_OURS, *_VLLM))
        yield "vllm-stock", files(theirs, "vllm-stock", _LEFT_OUT, _VLLM)
    # last, so that what changes most often changes no layer after it
    if not options.wheel:
        yield "vllm-installed", files(folder, "vllm-installed", _LEFT_OUT, _VLLM)
    for name, wheel in options.wheel:
        with zipfile.ZipFile(wheel) as opened:
            opened.extractall(scratch / name)
        yield f"vllm-{name}", files(scratch / name, f"vllm-{name}", _LEFT_OUT)


def site(environment: Path) -> Path:
    """Where an environment's packages are."""
    (found,) = environment.glob("lib/python*/site-packages")
    return found


def pack(options: argparse.Namespace) -> None:
    """Write the loads; raises UserError when a chunk is larger than a load may be."""
    chunks = options.folder / "chunks"
    chunks.mkdir(parents=True, exist_ok=True)
    lent = lender.lent(site(options.environment), options.machine)
    seen: dict[str, str] = {}
    packed: dict[str, list[str]] = {}
    links: dict[str, str] = {}

    def change(name: str, data: bytes) -> bytes:
        return thinned(data, options.capability) if _LIBRARY.search(name) else data

    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:
        for layer, tree in layers(options, Path(scratch)):
            carried = {}
            for name, file in tree.items():
                path = name.partition("/site-packages/")[2]
                if path in lent.paths:
                    links[name] = path
                else:
                    carried[name] = file
            target = Chunks(chunks, pool)
            archive(carried, target, seen, change)
            packed[layer] = target.names()
            size = sum((chunks / f"{chunk}.xz").stat().st_size for chunk in packed[layer])
            print(f"{layer}: {len(carried)} files, {size / 1e6:.1f} MB", flush=True)
    sizes = {
        chunk: (chunks / f"{chunk}.xz").stat().st_size
        for found in packed.values()
        for chunk in found
    }
    if max(sizes.values()) > LOAD_BYTES:
        raise UserError(f"a chunk of {max(sizes.values())} bytes does not fit into a load")
    config = check(read_yaml(PROJECT / "config.yaml"))
    asked = request(config.smoke.prompts, config.smoke.max_tokens, TIMED, Path("model"), ENGINE)
    manifest = {
        "layers": packed,
        "lender": {"versions": lent.versions, "links": links},
        "request": json.loads(asked),
        "built": built(options.environment, options.model.name),
    }
    shutil.rmtree(options.folder / "loads", ignore_errors=True)
    loads = fill(sizes, LOAD_BYTES)
    for number, names in enumerate(loads, 1):
        load = options.folder / "loads" / str(number)
        load.mkdir(parents=True)
        for chunk in names:
            os.link(chunks / f"{chunk}.xz", load / f"{chunk}.xz")
        (load / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        print(f"load {number}: {sum(sizes[chunk] for chunk in names) / 1e6:.1f} MB")


def built(environment: Path, model_key: str) -> dict:
    """What a record of a measurement says of the builds that were measured."""
    record = EnvironmentRecord.read(environment / "env.json")
    pins = {}
    for wheel in record.wheels:
        folder = Layout().wheel(wheel.variant, wheel.repo, wheel.key)
        made = WheelRecord.read(folder / "wheel.json")
        spec = WheelSpec.read(Layout().spec("wheel", f"{wheel.variant}/{wheel.repo}", wheel.key))
        pins[wheel.repo] = {
            "version": made.version,
            "source_key": spec.source_key,
            "patches": len(made.patches),
        }
    return {"environment_key": record.key, "model": _MODEL, "model_key": model_key, "pins": pins}


def _wheel(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not re.fullmatch(r"[a-z0-9]+", name) or not Path(path).is_file():
        raise argparse.ArgumentTypeError("give NAME=WHEEL: a short name and a wheel's file")
    return name, Path(path)


def _capability(text: str) -> int:
    if not re.fullmatch(r"\d+\.\d", text):
        raise argparse.ArgumentTypeError("give a GPU's compute capability, such as 9.0")
    return int(text.replace(".", ""))


def main() -> None:
    """Pack what the command line names."""
    layout = Layout()
    root = layout.root
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the loads go")
    parser.add_argument("--environment", type=Path, default=root / "envs" / "run-cuda")
    parser.add_argument("--interpreter", type=Path, default=root / "interpreter")
    parser.add_argument("--model", type=Path, help=f"a model's folder; {_MODEL} otherwise")
    parser.add_argument(
        "--capability",
        type=_capability,
        default="9.0",
        help="the GPU's compute capability: device code for others stays here (%(default)s)",
    )
    parser.add_argument(
        "--machine",
        type=Path,
        help="what its Python has, as `python3 -m pip list --format=freeze` prints it there: what "
        "that lends stays here",
    )
    parser.add_argument(
        "--wheel",
        type=_wheel,
        action="append",
        default=[],
        help="NAME=WHEEL: a vLLM to carry, in place of the environment's",
    )
    parser.add_argument(
        "--stock",
        metavar="PYTHON",
        help="carry the official vllm, too: a Python here of that machine's version (10 GB)",
    )
    options = parser.parse_args()
    options.machine = lender.read(options.machine) if options.machine else {}
    if options.model is None:
        found = sorted((root / "models" / _MODEL).glob("*/config.json"))
        if not found:
            raise UserError(f"{root / 'models' / _MODEL}: no model: run `snakemake smoke_report`")
        options.model = found[-1].parent
    if not options.environment.is_dir():
        raise UserError(f"{options.environment}: no environment: run `snakemake env_cuda`")
    if options.stock:
        options.stock = stock_environment(
            layout.stock("cuda").absolute(),
            "cuda",
            check(read_yaml(PROJECT / "config.yaml")).repos["vllm"].version,
            PROJECT / "envs" / "run-cuda.lock",
            options.stock,
        )
    pack(options)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
