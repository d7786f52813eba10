"""Carrying an environment to a GPU machine: what is packed here comes out there, byte for byte."""

import gc
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from tools.gpu import lender, profiled, run, unpack
from tools.gpu.chunks import Chunks, Tree, archive, files, fill


def written(folder: Path, texts: dict[str, bytes]) -> Path:
    for name, data in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def packed(chunks: Path, layers: dict[str, Tree]) -> dict:
    """The manifest of layers that were packed into a folder of chunks."""
    chunks.mkdir(exist_ok=True)
    seen: dict[str, str] = {}
    found = {}
    with ThreadPoolExecutor(2) as pool:
        for name, tree in layers.items():
            target = Chunks(chunks, pool, size=64 << 10)
            archive(tree, target, seen)
            found[name] = target.names()
    return {"layers": found}


@pytest.fixture
def two_layers(tmp_path) -> dict[str, Tree]:
    big = os.urandom(80 << 10)
    a = written(tmp_path / "a", {"bin/tool": b"#!/bin/sh\n", "lib/big.so": big})
    (a / "bin" / "link").symlink_to("tool")
    b = written(tmp_path / "b", {"same.so": big, "empty": b"", "other": b"x"})
    written(b, {"tool": b"#!/bin/sh\n"})
    for tool in (a / "bin/tool", b / "tool"):
        tool.chmod(0o755)
    return {"a": files(a, "one"), "b": files(b, "two")}


def test_layers_come_out_as_they_went_in(tmp_path, two_layers):
    manifest = packed(tmp_path / "chunks", two_layers)
    folder = tmp_path / "out"
    folder.mkdir()
    assert unpack.unpack(tmp_path / "chunks", folder, manifest) == []
    for tree in two_layers.values():
        for name, source in tree.items():
            assert (folder / name).read_bytes() == source.read_bytes()
    assert os.access(folder / "one/bin/tool", os.X_OK)
    assert (folder / "one/bin/tool").samefile(folder / "two/tool")
    assert os.readlink(folder / "one/bin/link") == "tool"


def test_a_file_of_two_layers_travels_once_and_an_unchanged_layer_not_again(tmp_path, two_layers):
    manifest = packed(tmp_path / "chunks", two_layers)
    first, second = manifest["layers"].values()
    assert len(first) == 2
    (small,) = second
    assert (tmp_path / "chunks" / f"{small}.xz").stat().st_size < 1000
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "chunks").iterdir()}
    assert packed(tmp_path / "chunks", two_layers) == manifest
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_a_layer_waits_for_its_chunks_and_for_the_layers_before_it(tmp_path, two_layers):
    manifest = packed(tmp_path / "chunks", two_layers)
    folder, aside = tmp_path / "out", tmp_path / "aside"
    folder.mkdir()
    late = tmp_path / "chunks" / f"{manifest['layers']['a'][0]}.xz"
    late.rename(aside)
    assert unpack.unpack(tmp_path / "chunks", folder, manifest) == ["a", "b"]
    assert not (folder / "two").exists()
    aside.rename(late)
    assert unpack.unpack(tmp_path / "chunks", folder, manifest) == []


def test_a_chunk_that_was_damaged_ends_the_program(tmp_path, two_layers):
    manifest = packed(tmp_path / "chunks", two_layers)
    first, second = (tmp_path / "chunks" / f"{name}.xz" for name in manifest["layers"]["a"])
    first.write_bytes(second.read_bytes())
    (tmp_path / "out").mkdir()
    with pytest.raises(SystemExit, match="not those that were packed"):
        unpack.unpack(tmp_path / "chunks", tmp_path / "out", manifest)


def test_patterns_leave_out_files_and_whole_folders(tmp_path):
    names = ["nvidia/cu13/bin/nvcc", "triton/_C/libtriton.so", "lib/x.a", "nvidia/cu13/lib/a.so.13"]
    folder = written(tmp_path, dict.fromkeys([*names, "pkg/__pycache__/x.pyc", "vllm/a.py"], b"-"))
    kept = files(folder, "packages", ("nvidia/*/bin", "*.a", "*/__pycache__", "vllm"))
    assert list(kept) == ["packages/nvidia/cu13/lib/a.so.13", "packages/triton/_C/libtriton.so"]
    assert list(files(folder, "v", (), ["vllm"])) == ["v/vllm/a.py"]


def test_a_file_travels_as_it_is_changed_and_its_like_is_linked(tmp_path):
    folder = written(tmp_path / "in", {"a": b"one", "b": b"two"})
    chunks = tmp_path / "chunks"
    chunks.mkdir()
    with ThreadPoolExecutor(1) as pool:
        target = Chunks(chunks, pool)
        archive(files(folder, "x"), target, {}, lambda name, data: name[:1].encode() + b"!")
        manifest = {"layers": {"x": target.names()}}
    (tmp_path / "out").mkdir()
    unpack.unpack(chunks, tmp_path / "out", manifest)
    a, b = (tmp_path / "out/x" / name for name in "ab")
    assert a.read_bytes() == b.read_bytes() == b"x!"
    assert a.samefile(b)


def test_loads_are_as_few_as_fit():
    loads = fill({"a": 50, "b": 30, "c": 30, "d": 10}, 60)
    assert sorted(map(sorted, loads)) == [["a", "d"], ["b", "c"]]


def environment(folder: Path, *packages: tuple[str, str, str]) -> Path:
    """Site-packages with distributions: name, version and the path of one file of each."""
    for name, version, path in packages:
        info = f"{name.replace('-', '_')}-{version}.dist-info"
        texts = {
            path: b"library",
            f"{info}/METADATA": f"Name: {name}\nVersion: {version}\n".encode(),
            f"{info}/RECORD": f"{path},,\n{info}/METADATA,,\n".encode(),
        }
        written(folder, texts)
    return folder


CUBLAS = "nvidia/cu13/lib/libcublas.so.13"
CUDNN = "nvidia/cudnn/lib/libcudnn.so.9"


def test_a_machine_lends_what_serves_and_no_older_library(tmp_path):
    packages = environment(
        tmp_path,
        ("nvidia-cublas", "13.1.1.3", CUBLAS),
        ("nvidia-cudnn-cu13", "9.24.0.43", CUDNN),
        ("nvidia-cuda-nvcc", "13.0.88", "nvidia/cu13/bin/nvcc"),
        ("torch", "2.14.0", "torch/lib/libtorch_cpu.so"),
        ("numpy", "2.4.6", "numpy/core.so"),
    )
    there = tmp_path / "machine.txt"
    there.write_text(
        "nvidia-cublas==13.1.0.3\nnvidia-cudnn-cu13==9.19.0.56\nnvidia-cuda-nvcc==13.0.88\n"
        "numpy==2.4.6\ntorch==2.11.0+cu130\n"
    )
    found = lender.lent(packages, lender.read(there))
    assert found.paths == {CUBLAS} and found.versions == {"nvidia-cublas": "13.1.0.3"}
    there.write_text("Torch==2.14.0+cu130")
    assert lender.lent(packages, lender.read(there)).paths == {"torch/lib/libtorch_cpu.so"}
    assert not lender.lent(packages, {}).paths


def test_a_list_of_packages_that_is_none_is_refused(tmp_path):
    file = tmp_path / "machine.txt"
    file.write_text("Package Version\n")
    with pytest.raises(
        UserError, match=r"machine.txt: 'Package' is not NAME==VERSION: write it by"
    ):
        lender.read(file)


def needed(**more: object) -> dict:
    return {
        "versions": {"pytest": pytest.__version__},
        "links": {"python/site/pytest/py.typed": "pytest/py.typed"},
        **more,
    }


def test_what_is_lent_is_linked_and_linked_again(tmp_path):
    for _ in range(2):
        lending = unpack.lend(tmp_path, needed(), sys.executable)
    link = tmp_path / "python/site/pytest/py.typed"
    assert link.readlink() == lending / "pytest/py.typed"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"versions": {"pytest": "1.0"}}, "its pytest is .*, and 1.0 was said to be there"),
        ({"versions": {"no-such": "1.0"}}, "its no-such is None"),
        ({"links": {"x": "no/such.so"}}, "no/such.so: there is no such file"),
    ],
)
def test_another_machine_lends_nothing(tmp_path, more, said):
    with pytest.raises(SystemExit, match=said):
        unpack.lend(tmp_path, needed(**more), sys.executable)


def test_loads_that_come_one_by_one_make_two_pythons_that_work(tmp_path, two_layers):
    """A `.pth` file counts in both, and what the stock one lacks it finds in the lender's."""
    (site,) = {Path(sysconfig.get_path("platlib")).relative_to(sys.prefix)}
    texts = {"more.pth": b"import sys; sys.marked = True\n", "plain.py": b"here = 1\n"}
    stock = files(written(tmp_path / "s", texts), f"stock/{site}")
    manifest = packed(tmp_path / "chunks", two_layers | {"stock": stock})
    manifest |= {"lender": needed(links={}), "request": {}}
    folder = tmp_path / "out"
    for number, chunk in enumerate(sorted((tmp_path / "chunks").iterdir())):
        load = tmp_path / f"load-{number}"
        load.mkdir()
        (load / "manifest.json").write_text(json.dumps(manifest))
        chunk.rename(load / chunk.name)
        run_tool("unpack.py", load, folder)
        shutil.rmtree(load)
    asked = "import sys, plain, pytest; print(sys.marked, plain.here, pytest.__version__)"
    python = run.interpreter(folder, "stock")
    said = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "1", pytest.__version__]
    assert list(folder.glob("stock/lib/python*/site-packages/__pycache__/plain.*.pyc"))


def run_tool(name: str, *arguments: Path) -> None:
    """Run a tool of the GPU machine as it is run there: by its file."""
    tool = Path(unpack.__file__).with_name(name)
    subprocess.run([sys.executable, tool, *arguments], check=True)


def test_a_stock_vllm_runs_in_the_machines_python(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/elsewhere")
    monkeypatch.setenv("PYTHON_GIL", "1")
    stock, ours = run.variables(tmp_path, "stock"), run.variables(tmp_path, "source")
    assert "PYTHON_GIL" not in {**stock, **ours}
    assert ours["PYTHONPATH"].endswith(f":{tmp_path / 'vllm-source'}")
    assert run.interpreter(tmp_path, "stockpatched") == run.interpreter(tmp_path, "stock")
    assert run.interpreter(tmp_path, "source") == str(tmp_path / "python/bin/python3")
    assert "PYTHONHOME" not in ours
    assert json.dumps(ours)


def test_what_the_garbage_collector_takes_is_counted() -> None:
    collections = profiled.Collections()
    gc.callbacks.append(collections)
    gc.collect()
    gc.callbacks.remove(collections)
    gc.collect()
    assert collections.runs == 1 and 0 < collections.seconds < 60
    assert profiled.load().main.__doc__
