"""A cluster of one machine: each job in namespaces of its own, as on another machine.

It has another hostname, no network and, where a test says so, other programs first on PATH. Jobs
live on when the process that submitted them is killed, as those of a batch system do.
"""

import subprocess
import sys

from tests.project import PROJECT
from tests.small_project import Project, Result

TOOLS = PROJECT / ".venv-cluster/bin"
"""The tools with Snakemake's executors for clusters."""

_SUBMIT = """#!/bin/bash
# hands a job's script to a node, and says what ends it: a process group
{unshare} bash {node} "$1" >>{log} 2>&1 </dev/null &
echo $!
"""
_NODE = """
hostname node1
PATH="{programs}:$PATH"
echo "node: $(hostname) $(basename "$1")"
exec bash "$1"
"""


class Cluster:
    """Runs a project's jobs on the node."""

    def __init__(self, project: Project):
        self.project, self.folder = project, project.folder.parent / "cluster"
        self.folder.mkdir()
        self.programs = self.folder / "programs"
        """What stands first on the node's PATH."""
        self.programs.mkdir()
        self.log = self.folder / "node.log"
        self.log.touch()
        names = {"node": self.folder / "node", "log": self.log, "programs": self.programs}
        unshare = "setsid unshare --user --map-root-user --mount --uts --net"
        (self.folder / "node").write_text(_NODE.format(**names), encoding="utf-8")
        submit = self.folder / "submit"
        submit.write_text(_SUBMIT.format(unshare=unshare, **names), encoding="utf-8")
        submit.chmod(0o755)

    def command(self, *arguments: str) -> list[str]:
        """The command line of a run whose jobs go to the node."""
        _, *words = self.project.command(*arguments)
        return [
            str(TOOLS / "snakemake"),
            *("--executor", "cluster-generic", "--jobs", "4"),
            *("--cluster-generic-submit-cmd", str(self.folder / "submit")),
            *("--seconds-between-status-checks", "1", "--latency-wait", "20", "--show-failed-logs"),
            *words,
        ]

    def run(self, *arguments: str) -> Result:
        """Run Snakemake, as `Project.run` does."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.project.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Result(done.returncode, done.stdout)

    @property
    def said(self) -> str:
        """What the node's jobs printed."""
        return self.log.read_text(encoding="utf-8")


def provide_tools() -> None:
    """Have the tools of TOOLS."""
    if not (TOOLS / "snakemake").exists():
        make = ["make", ".venv-cluster/.tools", f"PYTHON={sys.executable}"]
        subprocess.run(make, cwd=PROJECT, check=True)
