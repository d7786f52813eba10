"""A forked Snakemake is to a project what a process of its own is."""

import os
import subprocess
import sys
from pathlib import Path

from tests import forked

SNAKEFILE = """
import atexit, os, signal, sys

if "kill" in config:
    os.kill(os.getpid(), signal.SIGKILL)
atexit.register(print, "at the end", flush=True)
print(sys.argv, os.getcwd(), sorted(os.environ), sys.stdin.read(), sys.stdout.isatty(), flush=True)
print(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGPIPE), file=sys.stderr)
print(os.getpgrp(), sorted({"snakedev", "tests", "pytest"} & set(sys.modules)), file=sys.stderr)

rule fail:
    shell: "echo said by a job; exit 7"
"""


def test_it_says_and_ends_as_a_process_does(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    program = str(Path(sys.executable).with_name("snakemake"))
    command = [program, "--cores", "1", "--quiet", "all"]
    variables = {"PATH": os.environ["PATH"], "LC_CTYPE": "C.UTF-8", "ODD": "\udcff"}
    process = subprocess.run(
        command,
        cwd=tmp_path,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    code, said = forked.run(command, tmp_path, variables)
    assert code == process.returncode == 1
    assert "said by a job" in said and "at the end" in said
    assert sorted(said.splitlines()) == sorted(process.stdout.splitlines())
    code, said = forked.run([*command, "--config", "kill=1"], tmp_path, variables)
    assert code == -9
