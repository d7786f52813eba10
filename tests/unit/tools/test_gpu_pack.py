"""Carrying an environment to a GPU machine: what is packed here comes out there, byte for byte."""

import gc
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools.gpu import pack, profiled, run, unpack
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
    (a / "bin" / "tool").chmod(0o755)
    (a / "bin" / "link").symlink_to("tool")
    b = written(tmp_path / "b", {"same.so": big, "empty": b"", "other": b"x"})
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
    names = ["torch/lib/libtorch_cpu.so", "torch/lib/libtorch_python.so", "torch/include/a/b.h"]
    folder = written(tmp_path, dict.fromkeys([*names, "pkg/__pycache__/x.pyc", "vllm/a.py"], b"-"))
    kept = files(folder, "packages", (*pack.LENT, "*/__pycache__", "vllm"))
    assert list(kept) == ["packages/torch/lib/libtorch_python.so"]
    assert list(files(folder, "v", (), ["vllm"])) == ["v/vllm/a.py"]


def test_loads_are_as_few_as_fit():
    loads = fill({"a": 50, "b": 30, "c": 30, "d": 10}, 60)
    assert sorted(map(sorted, loads)) == [["a", "d"], ["b", "c"]]


@pytest.fixture
def lender(tmp_path) -> Path:
    return written(
        tmp_path / "lender",
        {
            "torch/version.py": b"__version__ = '2.11.0+cu130'\n",
            "triton/__init__.py": b"__version__ = '3.6.0'\n",
            "torch/lib/libtorch_cpu.so": b"12345",
            "nvidia/cu13/lib/libcublas.so": b"-",
        },
    )


def needed(**more: object) -> dict:
    return {
        "versions": {"torch": "2.11.0+cu130", "triton": "3.6.0"},
        "paths": ["nvidia", "torch/lib/libtorch_cpu.so"],
        "sizes": {"torch/lib/libtorch_cpu.so": 5},
        **more,
    }


def test_what_is_lent_is_linked_and_linked_again(tmp_path, lender):
    for _ in range(2):
        unpack.lend(tmp_path / "out", needed(), lender)
    assert (tmp_path / "out/packages/nvidia/cu13/lib/libcublas.so").is_file()
    assert (tmp_path / "out/packages/torch/lib/libtorch_cpu.so").read_bytes() == b"12345"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"versions": {"torch": "2.12.0+cu130"}}, "its torch is .*, and 2.12.0.cu130 is needed"),
        ({"sizes": {"torch/lib/libtorch_cpu.so": 6}}, "not the file of 6 bytes"),
    ],
)
def test_another_torch_lends_nothing(tmp_path, lender, more, said):
    with pytest.raises(SystemExit, match=said):
        unpack.lend(tmp_path / "out", needed(**more), lender)


def test_a_stock_vllm_finds_no_package_of_another_python(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/elsewhere")
    stock, ours = run.variables(tmp_path, "stock"), run.variables(tmp_path, "source")
    assert "PYTHON_GIL" not in stock and ours["PYTHON_GIL"] == "0"
    assert str(tmp_path / "packages") not in stock["PYTHONPATH"]
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
