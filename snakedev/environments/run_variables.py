"""What programs see that run inside a run environment: a clean set of variables."""

import os
from pathlib import Path

from snakedev.base.folders import for_sockets
from snakedev.base.job import scrubbed
from snakedev.machine import sanitizer

# Of the user's environment: where the person is, and which certificates and devices to use.
_KEPT = (
    "HOME",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
)
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


def run_variables(environment: Path, cache: Path, *, gil_off: bool = True) -> dict[str, str]:
    """The variables that run a program in ``environment``, offline, with its caches in ``cache``.

    ``gil_off`` sets PYTHON_GIL=0, so that a module that asks for the GIL does not turn it on. Where
    the interpreter has a sanitizer, what it finds is reported. vLLM puts its sockets
    into TMPDIR.
    """
    cache = cache.resolve()
    variables = scrubbed(_KEPT, os.environ) | {
        "PATH": f"{environment.resolve() / 'bin'}:{_SYSTEM_PATH}",
        "TMPDIR": str(for_sockets()),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(cache / "huggingface"),
        "VLLM_CACHE_ROOT": str(cache / "vllm"),
        "VLLM_CONFIG_ROOT": str(cache / "vllm"),
        "VLLM_NO_USAGE_STATS": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
        "TRITON_CACHE_DIR": str(cache / "triton"),
        "FLASHINFER_WORKSPACE_BASE": str(cache / "flashinfer"),
        "TQDM_DISABLE": "1",
        "NO_COLOR": "1",
    }
    if gil_off:
        variables["PYTHON_GIL"] = "0"
    return variables | sanitizer.run_variables(environment)
