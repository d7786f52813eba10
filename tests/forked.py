"""Snakemake forked from a process that has imported it, for a third of the time of its start.

This file is that process's program, too. It imports nothing of the project: a project under test
may have code of its own. All its runs share one seed of hashes; those of `make chaos` do not.
"""

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path


def run(command: list[str], folder: Path, variables: dict[str, str]) -> tuple[int, str]:
    """Run a ``command`` of Snakemake in a folder, with these ``variables`` alone.

    Returns its exit status and what it printed. Variables that Python reads as it starts are
    those of this process.
    """
    server = _server()
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as printed:
        request = [command, str(folder), variables, printed.name]
        print(json.dumps(request), file=server.stdin, flush=True)
        return int(server.stdout.readline()), printed.read()


@cache
def _server() -> subprocess.Popen[str]:
    """The process that forks; it ends with this one."""
    # -P: modules beside this file are not what others mean by their names
    command = [sys.executable, "-P", __file__]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _serve() -> None:
    """Answer each request with the exit status of its run."""
    # what Snakemake imports on the way to a plan, and the plugins that its parser looks for
    import nbformat  # noqa: F401
    import smart_open  # noqa: F401
    from snakemake.cli import get_argument_parser, main

    get_argument_parser()
    for request in sys.stdin:
        run = os.fork()
        if not run:
            _become(*json.loads(request))
            main()  # which exits
        _, status = os.waitpid(run, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(command: list[str], folder: str, variables: dict[str, str], printed: str) -> None:
    """Give this process what the process of a command has."""
    nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(printed, os.O_WRONLY | os.O_APPEND)
    for opened, stream in ((nothing, sys.stdin), (output, sys.stdout), (output, sys.stderr)):
        os.dup2(opened, stream.fileno())
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = command


if __name__ == "__main__":
    _serve()
