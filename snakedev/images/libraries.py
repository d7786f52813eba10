"""NVIDIA's libraries that nothing on a CPU loads: a CPU's image goes without."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from snakedev.images.layer import Entry

_NVIDIA = "/site-packages/nvidia/"
_TORCH = "/site-packages/torch/__init__.py"
# cuDNN's own part of what needs no GPU: without it, who asks for cuDNN's version is aborted.
_OPENED = ("libcudnn_graph.so",)


def without_unused(layers: Mapping[str, Sequence[Entry]]) -> dict[str, list[Entry]]:
    """Layers without those of NVIDIA's libraries that no other library is linked to, and that torch
    does not name to load them as it is imported.

    The package index's torch is linked to the others, and is not imported without them. These are
    opened once there is a GPU: cuDNN's engines, cuSOLVER for several GPUs, and the like.
    """
    asked: dict[str, list[str]] = {}
    paths = defaultdict(set)
    named = ""
    for entry in (entry for entries in layers.values() for entry in entries):
        name = PurePosixPath(entry.path).name
        if isinstance(entry.content, Path) and ".so" in name:
            own, asked[entry.path] = _dynamic(entry.content)
            paths[name].add(entry.path)
            paths[own].add(entry.path)
        elif isinstance(entry.content, Path) and entry.path.endswith(_TORCH):
            named = entry.content.read_text(encoding="utf-8")
    used: set[str] = set()
    left = [
        path
        for path in asked
        if _NVIDIA not in path or _stem(path) in named or _stem(path) in _OPENED
    ]
    while left:
        if (path := left.pop()) not in used:
            used.add(path)
            left += (found for name in asked[path] for found in paths[name])
    unused = asked.keys() - used
    return {
        layer: [_listed(entry, unused) for entry in entries if entry.path not in unused]
        for layer, entries in layers.items()
    }


def _dynamic(library: Path) -> tuple[str, list[str]]:
    """The name that a library has for those linked to it, and the names that it is linked to."""
    own, asked = "", []
    with library.open("rb") as stream:
        try:
            segments = [s for s in ELFFile(stream).iter_segments() if isinstance(s, DynamicSegment)]
            for tag in (tag for segment in segments for tag in segment.iter_tags()):
                # pyelftools gives a tag the attribute of its kind
                if needed := getattr(tag, "needed", ""):
                    asked.append(needed)
                own = getattr(tag, "soname", own)
        except ELFError:
            pass  # another kind of file: a linker's script, or one of a test
    return own, asked


def _stem(path: str) -> str:
    """A library's name without its version, as `libnvrtc.so`."""
    return PurePosixPath(path).name.partition(".so")[0] + ".so"


def _listed(entry: Entry, unused: set[str]) -> Entry:
    """An entry; a package's list of its files without those that are left out."""
    if not (isinstance(entry.content, bytes) and entry.path.endswith(".dist-info/RECORD")):
        return entry
    site = PurePosixPath(entry.path).parents[1]
    rows = entry.content.splitlines(keepends=True)
    kept = [row for row in rows if str(site / row.decode().partition(",")[0]) not in unused]
    return replace(entry, content=b"".join(kept))
