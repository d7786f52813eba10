"""Pack a run environment for CUDA to be carried to a GPU machine that reaches no package registry.

Run from the project after `snakemake env_cuda`:
`python -m tools.gpu.pack FOLDER [--wheel NAME=WHEEL ...] [--stock ENVIRONMENT]`. FOLDER then has
`loads/1`, `loads/2` and so on, each of at most 60 MB, to be carried one by one; `unpack.py` puts
them together, `run.py` runs what came of it.

What travels are layers: the interpreter, its packages, the model, each vLLM, and the packages of a
stock vLLM for the machine's own Python. What the machine's torch lends, being of the same version,
is left out: the libraries that do not depend on Python. A file that two layers have travels once,
and a layer that did not change is not compressed again.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.yaml_file import read_yaml
from snakedev.config.read import check
from snakedev.inference.engine import request
from snakedev.store.layout import Layout
from tools.benchmarks.gpu import ENGINE, TIMED
from tools.gpu.chunks import Chunks, Tree, archive, files, fill

LOAD_BYTES = 60_000_000
"""What one load may have, compressed."""
_MODEL = "smollm2-135m"

LENT = (
    "nvidia",
    "torch/bin",
    "torch/include",
    "torch/lib/libc10.so",
    "torch/lib/libc10_cuda.so",
    "torch/lib/libcaffe2_nvrtc.so",
    "torch/lib/libtorch_cpu.so",
    "torch/lib/libtorch_cuda.so",
    "torch/lib/libtorch_cuda_linalg.so",
    "torch/lib/libtorch_nvshmem.so",
    "torch/share",
    "triton/backends",
)
"""What a torch of the same version for another Python lends, with its triton."""
_FOR_OTHERS = ("torch", "torchgen", "functorch", "torchvision*", "torchaudio*", "triton*", "nvidia")
_OWN = (*_FOR_OTHERS, "numpy*", "numba*", "llvmlite*")
"""What a stock vLLM finds in the machine's own Python."""
_LEFT_OUT = (
    "*/__pycache__",
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
_STRIPPED = "triton/_C/libtriton.so"
"""Two thirds of it are the names of its own functions."""


def layers(options: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, Tree]]:
    """The layers by name; ``scratch`` takes what has to be made first."""
    (packages,) = options.environment.glob("lib/python*/site-packages")
    tree = files(options.interpreter, "python", ["lib/python*/site-packages", "*/__pycache__"])
    yield "interpreter", tree
    tree = files(packages, "packages", (*LENT, *_LEFT_OUT, *_VLLM))
    _strip(tree, scratch)
    yield "packages", tree
    yield "model", files(options.model, "model")
    if options.stock:
        (packages,) = options.stock.glob("lib/python*/site-packages")
        # without the metadata of what it leaves to the machine's Python, which has its own
        infos = [f"{name.rstrip('*')}-*.dist-info" for name in _OWN]
        yield "vllm-stock", files(packages, "vllm-stock", (*_OWN, *infos, *_LEFT_OUT))
    # last, so that what changes most often changes no layer after it
    if not options.wheel:
        yield "vllm-installed", files(packages, "vllm-installed", _LEFT_OUT, _VLLM)
    for name, wheel in options.wheel:
        folder = scratch / name
        with zipfile.ZipFile(wheel) as opened:
            opened.extractall(folder)
        yield f"vllm-{name}", files(folder, f"vllm-{name}", _LEFT_OUT)


def _strip(tree: Tree, scratch: Path) -> None:
    name = f"packages/{_STRIPPED}"
    if name in tree and shutil.which("strip"):
        stripped = scratch / Path(name).name
        subprocess.run(["strip", "-o", stripped, tree[name]], check=True)
        tree[name] = stripped


def _lender(packages: Path) -> dict[str, object]:
    """What the machine's torch has to be, and the sizes of what it lends."""
    versions = {}
    for package, file in {"torch": "version.py", "triton": "__init__.py"}.items():
        text = (packages / package / file).read_text(encoding="utf-8")
        (versions[package],) = re.findall(r"^__version__ = '([^']+)'", text, re.MULTILINE)
    sizes = {n: (packages / n).stat().st_size for n in LENT if (packages / n).is_file()}
    return {"versions": versions, "paths": LENT, "sizes": sizes}


def pack(options: argparse.Namespace) -> None:
    """Write the loads; raises UserError when a chunk is larger than a load may be."""
    chunks = options.folder / "chunks"
    chunks.mkdir(parents=True, exist_ok=True)
    seen: dict[str, str] = {}
    packed: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, tree in layers(options, Path(scratch)):
            target = Chunks(chunks, pool)
            archive(tree, target, seen)
            packed[name] = target.names()
            size = sum((chunks / f"{chunk}.xz").stat().st_size for chunk in packed[name])
            print(f"{name}: {len(tree)} files, {size / 1e6:.1f} MB", flush=True)
    sizes = {
        chunk: (chunks / f"{chunk}.xz").stat().st_size
        for found in packed.values()
        for chunk in found
    }
    if max(sizes.values()) > LOAD_BYTES:
        raise UserError(f"a chunk of {max(sizes.values())} bytes does not fit into a load")
    (packages,) = options.environment.glob("lib/python*/site-packages")
    config = check(read_yaml(Path("config.yaml")))
    asked = request(config.smoke.prompts, config.smoke.max_tokens, TIMED, Path("model"), ENGINE)
    manifest = {"layers": packed, "lender": _lender(packages), "request": json.loads(asked)}
    shutil.rmtree(options.folder / "loads", ignore_errors=True)
    loads = fill(sizes, LOAD_BYTES)
    for number, names in enumerate(loads, 1):
        load = options.folder / "loads" / str(number)
        load.mkdir(parents=True)
        for chunk in names:
            os.link(chunks / f"{chunk}.xz", load / f"{chunk}.xz")
        (load / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        print(f"load {number}: {sum(sizes[chunk] for chunk in names) / 1e6:.1f} MB")


def _wheel(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not re.fullmatch(r"[a-z0-9]+", name) or not Path(path).is_file():
        raise argparse.ArgumentTypeError("give NAME=WHEEL: a short name and a wheel's file")
    return name, Path(path)


def main() -> None:
    """Pack what the command line names."""
    root = Layout().root
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the loads go")
    parser.add_argument("--environment", type=Path, default=root / "envs" / "run-cuda")
    parser.add_argument("--interpreter", type=Path, default=root / "interpreter")
    parser.add_argument("--model", type=Path, help=f"a model's folder; {_MODEL} otherwise")
    parser.add_argument(
        "--wheel",
        type=_wheel,
        action="append",
        default=[],
        help="NAME=WHEEL: a vLLM to carry, in place of the environment's",
    )
    parser.add_argument("--stock", type=Path, help="an environment with a stock vllm wheel")
    options = parser.parse_args()
    if options.model is None:
        found = sorted((root / "models" / _MODEL).glob("*/config.json"))
        if not found:
            raise UserError(f"{root / 'models' / _MODEL}: no model: run `snakemake smoke_report`")
        options.model = found[-1].parent
    pack(options)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
