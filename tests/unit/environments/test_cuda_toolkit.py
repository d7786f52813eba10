"""The links that make a toolkit of NVIDIA's wheels."""

import shutil
import subprocess

import pytest

from snakedev.environments.cuda_toolkit import complete


@pytest.fixture
def site_packages(tmp_path):
    root = tmp_path / "site-packages" / "nvidia" / "cu13"
    (root / "bin").mkdir(parents=True)
    (root / "lib").mkdir()
    (root / "bin" / "nvcc").touch()
    (root / "include").mkdir()
    (root / "include" / "cuda.h").write_text("CUresult CUDAAPI cuMemCreate(void);\n")
    for name in ("libcudart.so.13", "libnvrtc-builtins.so.13.0", "libcudart_static.a"):
        (root / "lib" / name).write_text(name)
    return tmp_path / "site-packages"


def test_without_nvcc_nothing_is_done(tmp_path, site_packages, running):
    (site_packages / "nvidia" / "cu13" / "bin" / "nvcc").unlink()
    before = sorted(site_packages.rglob("*"))
    assert complete(site_packages, running) is None
    assert sorted(site_packages.rglob("*")) == before


def test_libraries_get_the_names_that_a_linker_looks_for(site_packages, running):
    root = complete(site_packages, running)
    assert root == site_packages / "nvidia" / "cu13"
    assert (root / "lib64" / "libcudart.so").read_text() == "libcudart.so.13"
    assert (root / "lib" / "libnvrtc-builtins.so").is_symlink()
    assert complete(site_packages, running) == root


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_driver_stub_is_there_to_link_against(site_packages, running, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    stub = complete(site_packages, running) / "lib" / "stubs" / "libcuda.so"
    made = site_packages / "calls.so"
    calls = "int cuMemCreate(void); int begin(void) { return cuMemCreate(); }"
    # some distributions' compilers say --as-needed by themselves
    command = ["cc", "-shared", "-fPIC", "-Wl,--as-needed,--no-undefined", "-x", "c", "-"]
    command += ["-o", made, "-x", "none", stub]
    subprocess.run(command, input=calls, text=True, check=True)
    needed = subprocess.run(["readelf", "-d", made], capture_output=True, text=True, check=True)
    assert "[libcuda.so.1]" in needed.stdout


def test_without_a_compiler_there_is_no_stub(site_packages, running, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    root = complete(site_packages, running)
    assert not (root / "lib" / "stubs").exists()
