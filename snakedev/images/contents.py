"""What of an interpreter and a run environment goes into an image, layer by layer.

Both are moved to fixed places: what of them names this machine's folders is rewritten or left out.
"""

import csv
import json
import os
from collections.abc import Collection, Iterable, Iterator
from io import StringIO
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from snakedev.base.errors import UserError
from snakedev.base.process import output
from snakedev.fetch.indexes import TORCH_PACKAGES
from snakedev.images.layer import DATA, PROGRAM, Entry

PYTHON, ENVIRONMENT = "/opt/python", "/opt/vllm"
"""Where the interpreter and the environment lie in an image."""
LAYERS = ("nvidia", "torch", "packages", "wheels")
"""The layers of an environment, from what changes least: NVIDIA's libraries, torch, other packages
of the lock, and the wheels built here."""

# Names where pip and uv note where a wheel came from, and when.
OF_THIS_MACHINE = ("direct_url.json", "uv_cache.json")
# What an environment has beside its packages that no container has a use for.
_UNUSED = ("CACHEDIR.TAG", ".lock", ".gitignore", "env.json")
_UNUSED_PROGRAMS = ("activate", "deactivate", "pydoc.bat")
# What of an interpreter only builds use, or its own tests.
_OF_BUILDS = ("include", "share", "interpreter.json")
_OF_LIBRARY = ("test", "idlelib", "ensurepip", "turtledemo")
_TEXT_BYTES = 1 << 20
# The folders that an interpreter says that it lies in: where it does, and where it was configured
# to.
_ASK_PREFIXES = (
    "import json, pathlib, sys, sysconfig; "
    "print(json.dumps([sys.base_prefix, "
    "str(pathlib.Path(sysconfig.get_config_var('LIBDIR')).parent), sys._base_executable]))"
)


def interpreter_entries(python: Path) -> Iterator[Entry]:
    """The interpreter that ``python``, an environment's, leads to.

    Raises UserError for one that is part of a system, and not in a folder of its own.
    """
    prefix, configured, executable = json.loads(output([python, "-Ic", _ASK_PREFIXES]))
    home = Path(prefix)
    if home in (Path("/usr"), Path("/usr/local"), Path("/")):
        raise UserError(
            f"{executable} is part of this system, and an image needs an interpreter in a folder "
            "of its own: set interpreter.provider to registry, uv or source"
        )
    moved = sorted({prefix, configured} - {"/usr", "/usr/local"}, key=len, reverse=True)
    for path in walk(home, _OF_BUILDS):
        inner = path.relative_to(home)
        if (inner.parts[0] == "lib" and inner.parts[2:3] in [(x,) for x in _OF_LIBRARY]) or (
            path.suffix == ".a"
        ):
            continue
        yield _moved(path, f"{PYTHON}/{inner}", moved, PYTHON)


def environment_entries(folder: Path, built_here: Collection[str]) -> dict[str, list[Entry]]:
    """What an environment holds, by layer; ``built_here`` are the packages whose wheels were.

    Raises UserError for a link that leads out of it.
    """
    folder = folder.absolute()
    owners = _owners(folder, built_here)
    found: dict[str, list[Entry]] = {layer: [] for layer in LAYERS}
    for path in walk(folder, _UNUSED):
        inner = path.relative_to(folder)
        if path.name in OF_THIS_MACHINE and path.parent.suffix == ".dist-info":
            continue
        if str(inner.parent) == "bin" and path.name.startswith(_UNUSED_PROGRAMS):
            if str(path) not in owners:
                continue
        layer = owners.get(str(path), LAYERS[-1])
        found[layer].append(_of_place(path, inner, folder))
    return found


def _of_place(path: Path, inner: Path, folder: Path) -> Entry:
    """A file of an environment, as an image has it."""
    place = f"{ENVIRONMENT}/{inner}".lstrip("/")
    if str(inner) == "bin/python":
        return Entry(place, link=f"{PYTHON}/bin/{path.resolve().name}")
    if str(inner) == "pyvenv.cfg":
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        text = "".join(
            f"home = {PYTHON}/bin\n" if line.startswith("home =") else line for line in lines
        )
        return Entry(place, content=text.encode())
    if path.name == "RECORD" and path.parent.suffix == ".dist-info":
        return Entry(place, content=record(path))
    return _moved(path, f"{ENVIRONMENT}/{inner}", [], "")


def _owners(folder: Path, built_here: Collection[str]) -> dict[str, str]:
    """The layer of each file that a package says is its own."""
    owners: dict[str, str] = {}
    (site_packages,) = folder.glob("lib/python*/site-packages")
    records = [(_layer(r, built_here), r) for r in site_packages.glob("*.dist-info/RECORD")]
    # a file that two packages name lies with the later layer's
    for layer, record in sorted(records, key=lambda one: (LAYERS.index(one[0]), one[1])):
        for row in csv.reader(StringIO(record.read_text(encoding="utf-8"))):
            owners[os.path.normpath(site_packages / row[0])] = layer
    return owners


def _layer(record: Path, built_here: Collection[str]) -> str:
    name = canonicalize_name(record.parent.name.partition("-")[0])
    if name in built_here:
        return "wheels"
    if name in TORCH_PACKAGES or name.startswith(("triton", "pytorch-triton")):
        return "torch"
    return "nvidia" if name.startswith(("nvidia-", "cuda-")) else "packages"


def record(path: Path) -> bytes:
    """A RECORD without what is left out."""
    rows = [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if not any(f"/{name}," in line for name in OF_THIS_MACHINE) and "/__pycache__/" not in line
    ]
    return "".join(f"{row}\n" for row in sorted(rows)).encode()


def walk(folder: Path, unused: Collection[str]) -> Iterator[Path]:
    """Files and links below a folder, without bytecode, and without what is ``unused`` of what
    stands in it."""
    for place, folders, files in os.walk(folder):
        left_out = {"__pycache__", *(unused if Path(place) == folder else ())}
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        folders[:] = sorted({*folders} - {*links, *left_out})
        for name in sorted({*files, *links} - left_out):
            yield Path(place, name)


def _moved(path: Path, place: str, before: Iterable[str], now: str) -> Entry:
    """A file or link that lies at ``place`` in an image; a text that names a folder of ``before``
    names ``now`` there."""
    inner = place.lstrip("/")
    if path.is_symlink():
        target = os.readlink(path)
        if not os.path.isabs(target):
            return Entry(inner, link=target)
        for folder in before:
            if target.startswith(f"{folder}/"):
                return Entry(inner, link=now + target.removeprefix(folder))
        if not path.is_file():
            raise UserError(f"{path} leads to {target}, which no image has: take that package out")
    status = path.stat()
    mode = PROGRAM if status.st_mode & 0o100 else DATA
    if before and status.st_size < _TEXT_BYTES:
        data = path.read_bytes()
        if b"\0" not in data:
            changed = data
            for folder in before:
                changed = changed.replace(folder.encode(), now.encode())
            if changed != data:
                return Entry(inner, mode, changed)
    return Entry(inner, mode, path)


def python_files(entries: Iterable[Entry]) -> Iterator[tuple[Path, str]]:
    """The Python files among entries, and where they lie in an image."""
    for entry in entries:
        if isinstance(entry.content, Path) and PurePosixPath(entry.path).suffix == ".py":
            yield entry.content, f"/{entry.path}"
