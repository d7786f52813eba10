"""Making the image that holds the workflow itself: compilers, tools, and the project's files."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.fetch.debian import DebianPackages
from snakedev.fetch.uv import run_uv
from snakedev.images import base, contents
from snakedev.images.archive import ImageArchive
from snakedev.images.base_lock import suites
from snakedev.images.image import ARCHIVE, PLATFORM, ImageRecord, byte_compiled, configuration
from snakedev.images.layer import DATA, PROGRAM, Entry
from snakedev.images.project_files import project_files, tools_lock
from snakedev.store.image_spec import WORKFLOW, WorkflowImageSpec
from snakedev.store.publish import found, published

TOOLS, PROJECT = "/opt/snakedev/tools", "/opt/snakedev/workflow"
"""Where the tools and the workflow lie in the image."""

# Packages whose configuration gives one of their programs another name: that, and the program.
_ALTERNATIVES = (
    ("gcc", "cc", "gcc"),
    ("g++", "c++", "g++"),
    ("mawk", "awk", "mawk"),
    ("debianutils", "which", "which.debianutils"),
)
# The packages that Debian's Python is of, and what it is linked to.
_OF_PYTHON = ("libc6_", "libexpat1_", "libpython3", "python3", "zlib1g_")


def make_workflow_image(
    spec: WorkflowImageSpec,
    project: Path,
    debian: DebianPackages,
    final: Path,
    running: Job,
) -> ImageRecord:
    """Make the image of a project's workflow and publish it, or find it in the store.

    Raises UserError for a package of the base that the mirror has no longer, and when no package
    index answers.
    """
    if record := found(final / spec.record_name, ImageRecord, running):
        return record
    debs = debian.pinned(spec.base, suites(spec.suite), "snakemake image_lock")
    with published(final) as scratch:
        path = scratch / ARCHIVE
        with tempfile.TemporaryDirectory(dir=scratch) as place:
            python = _Python(debs, spec, Path(place))
            layers = {
                "base": [*base.base_entries(debs), *_alternatives(debs)],
                "tools": [*_tools(tools_lock(project), python, Path(place, "tools"), running)],
                "workflow": [_of_project(name, file) for name, file in project_files(project)],
            }
            compiled = {"base": python.library, "tools": layers["tools"]}
            with running.telling_size(path), ImageArchive(path) as archive:
                for name, entries in layers.items():
                    sources = compiled.get(name, [])
                    folder = Path(place, f"{name}-bytecode")
                    bytecode = byte_compiled(
                        sources, python.command, folder, running, python.variables
                    )
                    archive.add_layer(name, [*entries, *bytecode])
                digest = archive.finish(_configuration(spec), spec.name, PLATFORM)
        record = ImageRecord(
            key=spec.key,
            variant=WORKFLOW,
            name=spec.name,
            digest=digest,
            layers=tuple(archive.layers),
            environment_key="",
            bytes=path.stat().st_size,
            seconds=round(running.seconds, 1),
        )
        record.write(scratch / spec.record_name)
    record.tell(running)
    return record


class _Python:
    """Debian's Python, unpacked beside the C library of its suite: it runs on this machine."""

    def __init__(self, debs: Sequence[Path], spec: WorkflowImageSpec, scratch: Path):
        versions = {deb.name: deb.version for deb in spec.base}
        if "python3" not in versions:
            raise UserError("image.workflow_packages: the tools need python3-venv: add it")
        self.version = ".".join(versions["python3"].split(".")[:2])
        root = scratch / "root"
        for deb in debs:
            if deb.name.startswith(_OF_PYTHON):
                subprocess.run(["dpkg-deb", "--extract", deb, root], check=True)
        self.program = f"usr/bin/python{self.version}"
        (loader,) = root.glob("usr/lib64/ld-linux-*.so.*")
        (libc,) = root.glob("usr/lib/*/libc.so.6")
        self.command: list[Path | str] = [
            loader,
            "--library-path",
            libc.parent,
            root / self.program,
        ]
        self.variables = {"PYTHONHOME": str(root / "usr")}
        folder = root / f"usr/lib/python{self.version}"
        files = (file for file in sorted(folder.rglob("*.py")) if not file.is_symlink())
        self.library = [Entry(str(file.relative_to(root)), content=file) for file in files]


def _alternatives(debs: Sequence[Path]) -> Iterator[Entry]:
    names = {deb.name.partition("_")[0] for deb in debs}
    for package, name, program in _ALTERNATIVES:
        if package in names:
            yield Entry(f"usr/bin/{name}", link=program)


def _tools(lock: Path, python: _Python, folder: Path, running: Job) -> Iterator[Entry]:
    """A virtual environment of Debian's Python with what the lock pins."""
    install = ["pip", "install", "--no-config", "--no-deps", "--require-hashes", "--only-binary"]
    install += [":all:", "--python-platform", "x86_64-manylinux_2_28", "--link-mode", "copy"]
    install += ["--python", sys.executable, "--python-version", python.version]
    run_uv("tools of the workflow", [*install, "--target", folder, "--requirements", lock], running)
    root = TOOLS.lstrip("/")
    site = f"{root}/lib/python{python.version}/site-packages"
    for path in contents.walk(folder, (".lock",)):
        inner = path.relative_to(folder)
        if path.parent.suffix == ".dist-info" and path.name in contents.OF_THIS_MACHINE:
            continue
        program = inner.parts[0] == "bin"
        place = f"{root if program else site}/{inner}"
        content: Path | bytes = path
        if path.name == "RECORD" and path.parent.suffix == ".dist-info":
            content = contents.record(path)
        elif program and path.read_bytes()[:2] == b"#!":
            script = path.read_bytes().partition(b"\n")[2]
            content = f"#!{TOOLS}/bin/python\n".encode() + script
        yield Entry(place, PROGRAM if os.access(path, os.X_OK) else DATA, content)
    for name in ("python", "python3"):
        yield Entry(f"{root}/bin/{name}", link=f"/{python.program}")
    settings = (
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python.version}\n"
    )
    yield Entry(f"{root}/pyvenv.cfg", content=settings.encode())


def _of_project(name: str, file: Path) -> Entry:
    mode = PROGRAM if os.access(file, os.X_OK) else DATA
    return Entry(f"{PROJECT.lstrip('/')}/{name}", mode, file)


def _configuration(spec: WorkflowImageSpec) -> dict[str, Any]:
    """What containers run with."""
    labels = {
        "org.opencontainers.image.title": "snakedev-vllm, the workflow",
        "org.opencontainers.image.revision": spec.workflow,
        "org.opencontainers.image.base.name": f"debian:{spec.suite}",
    }
    return configuration(TOOLS, {}, Cmd=["bash"], Labels=labels, WorkingDir=PROJECT)
