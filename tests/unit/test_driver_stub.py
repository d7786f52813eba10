"""The stand-in for NVIDIA's driver library, with real libraries that call it."""

import ctypes
import subprocess
import sys

import pytest

from scripts import driver_stub


@pytest.fixture
def no_driver():
    """Skips where a driver is: no stub is made there."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return
    pytest.skip("this machine has NVIDIA's driver")


def library(folder, source):
    """A shared library from C source, with its symbols bound when it is loaded."""
    made = folder / "library.so"
    command = ["cc", "-shared", "-fPIC", "-Wl,-z,now", "-x", "c", "-", "-o", made]
    subprocess.run(command, input=source, text=True, check=True)
    return made


def test_a_library_that_calls_the_driver_loads_and_its_calls_fail(no_driver, tmp_path, running):
    calls = "int cuInit(unsigned); int begin(void) { return cuInit(0); }"
    made = library(tmp_path, calls)
    stub = driver_stub.make([made], tmp_path, running)
    code = f"import ctypes; print(ctypes.CDLL({str(made)!r}).begin())"
    said = subprocess.run(
        [sys.executable, "-c", code], env={"LD_PRELOAD": str(stub)}, capture_output=True, text=True
    )
    assert said.stdout == "100\n", said.stderr


def test_what_calls_no_driver_needs_no_stub(tmp_path, running):
    made = library(tmp_path, "int cudaMalloc(void); int begin(void) { return cudaMalloc(); }")
    assert driver_stub.make([made], tmp_path, running) is None
