"""The stand-in for NVIDIA's driver library, with real libraries that call it."""

import ctypes
import subprocess
import sys

import pytest

from snakedev.machine import driver_stub


@pytest.fixture
def no_driver():
    """Skips where a driver is: no stub is made there."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return
    pytest.skip("this machine has NVIDIA's driver")


def library(folder, source, *linked):
    """A shared library from C source, with its symbols bound when it is loaded."""
    made = folder / "library.so"
    command = ["cc", "-shared", "-fPIC", "-Wl,-z,now,--as-needed", "-x", "c", "-", "-o", made]
    command += ["-x", "none", *linked]
    subprocess.run(command, input=source, text=True, check=True)
    return made


def call(library, driver):
    """What its `begin` returns in a process that looks for the driver in a folder, or the error."""
    code = f"import ctypes; print(ctypes.CDLL({str(library)!r}).begin())"
    environment = {"LD_LIBRARY_PATH": str(driver)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    return done.stdout.strip() or done.stderr


CALLS = "int cuInit(unsigned); int begin(void) { return cuInit(0); }"


@pytest.fixture
def to_link(tmp_path, running):
    """The stub that a linker is given."""
    header = tmp_path / "cuda.h"
    header.write_text(
        "#define cuMemAlloc cuMemAlloc_v2\n"
        "CUresult CUDAAPI cuInit(unsigned int Flags); /* as cuInit says */\n"
    )
    stub = tmp_path / "libcuda.so"
    driver_stub.write(driver_stub.functions_of(header), stub, ["cc"], running)
    return stub


def test_a_library_that_calls_the_driver_loads_and_its_calls_fail(
    no_driver, tmp_path, to_link, running
):
    made = library(tmp_path, CALLS, to_link)
    assert call(made, driver_stub.stand_in([made], tmp_path / "driver", running)) == "100"


def test_a_library_that_is_not_linked_against_the_driver_does_not_find_it(
    no_driver, tmp_path, running
):
    made = library(tmp_path, CALLS)
    said = call(made, driver_stub.stand_in([made], tmp_path / "driver", running))
    assert "undefined symbol: cuInit" in said


def test_what_calls_no_driver_needs_no_stub(tmp_path, running):
    made = library(tmp_path, "int cudaMalloc(void); int begin(void) { return cudaMalloc(); }")
    assert driver_stub.stand_in([made], tmp_path / "driver", running) is None
