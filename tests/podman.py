"""Debian's podman and runc, with storage of their own: `apt-get install podman runc`.

runc asks for limits and cgroups that a container of a CI service may not set: what runs there runs
without.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = pytest.mark.skipif(
    not (shutil.which("podman") and shutil.which("runc")), reason="needs podman and runc"
)
# with no more rights than they need
LESS = ("--cap-drop=all", "--security-opt=no-new-privileges")
_RUNTIME = f"""#!{sys.executable}
import json, os, pathlib, sys
if "create" in sys.argv:
    file = pathlib.Path(sys.argv[sys.argv.index("--bundle") + 1], "config.json")
    spec = json.loads(file.read_text())
    spec["process"].pop("rlimits", None)
    spec["linux"].pop("resources", None)
    file.write_text(json.dumps(spec))
os.execvp("runc", ["runc", *sys.argv[1:]])
"""


@contextmanager
def podman_of(folder: Path) -> Iterator[list[str]]:
    """The command line of a podman that keeps its images in a folder, until the block ends."""
    runtime = folder / "runtime"
    runtime.write_text(_RUNTIME, encoding="utf-8")
    runtime.chmod(0o755)
    # podman takes no more than 50 characters here
    with tempfile.TemporaryDirectory(dir="/tmp") as run:
        podman = ["podman", f"--root={folder / 'root'}", f"--runroot={run}"]
        podman += [f"--runtime={runtime}", "--cgroup-manager=cgroupfs", "--events-backend=none"]
        # vfs, podman's other one, copies all of an image for each layer
        podman += ["--storage-driver=overlay"]
        try:
            yield podman
        finally:
            subprocess.run([*podman, "rmi", "--all", "--force"])
