"""Which of NVIDIA's libraries a CPU's image goes without."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from snakedev.images.layer import Entry
from snakedev.images.libraries import without_unused

SITE = "opt/vllm/lib/python3.14t/site-packages"
NVIDIA = f"{SITE}/nvidia"


def library(folder: Path, path: str, needs: Sequence[Entry] = ()) -> Entry:
    """A library at a path of the image, linked to others."""
    file = folder / Path(path).name
    linked = [str(one.content) for one in needs]
    name = f"-Wl,-soname,{file.name}"
    command = ["cc", "-shared", "-Wl,--no-as-needed", name, "-o", file, *linked, "-x", "c"]
    subprocess.run([*command, "/dev/null"], check=True)
    return Entry(path, 0o755, file)


def test_what_is_linked_to_stays_and_what_is_named(tmp_path: Path) -> None:
    far = library(tmp_path, f"{NVIDIA}/cu13/lib/libfar.so.13")
    near = library(tmp_path, f"{NVIDIA}/cudnn/lib/libcudnn.so.9", [far])
    named = library(tmp_path, f"{NVIDIA}/cu13/lib/libnvrtc-builtins.so.13.0")
    version = library(tmp_path, f"{NVIDIA}/cudnn/lib/libcudnn_graph.so.9")
    beside = library(tmp_path, f"{NVIDIA}/cu13/lib/libonly_of_engines.so.1")
    engines = library(tmp_path, f"{NVIDIA}/cudnn/lib/libcudnn_engines.so.9", [near, beside])
    text = tmp_path / "__init__.py"
    text.write_text('LOADED = ["libnvrtc-builtins.so.*[0-9]"]\n', encoding="utf-8")
    listed = [one.path.removeprefix(f"{SITE}/") for one in (near, engines)]
    rows = "".join(f"{path},sha256=x,1\n" for path in listed)
    record = Entry(f"{SITE}/nvidia_cudnn.dist-info/RECORD", content=rows.encode())
    header = Entry(f"{NVIDIA}/cudnn/include/cudnn.h", content=text)
    layers = {
        "nvidia": [far, near, named, version, beside, engines, record, header],
        "torch": [
            library(tmp_path, f"{SITE}/torch/lib/libtorch_cpu.so", [near]),
            # nothing is linked to it, and Python imports it
            library(tmp_path, f"{SITE}/torch/_C.cpython-314t-x86_64-linux-gnu.so"),
            Entry(f"{SITE}/torch/__init__.py", content=text),
        ],
    }
    left = without_unused(layers)
    assert left["torch"] == layers["torch"]
    assert left["nvidia"][:4] == [far, near, named, version]
    kept = Entry(record.path, content=rows.replace(f"{listed[1]},sha256=x,1\n", "").encode())
    assert left["nvidia"][4:] == [kept, header]
