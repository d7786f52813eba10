"""Every default wheel, built in another folder, is the same byte for byte.

C++ is compiled once in all tests: the other folder takes it from the first one's compiler cache,
which has an object only for the very command, in the same place, on the same text. So everything
that a folder could change is proved: each compilation's input, and all that is done anew (sources,
configuring, Rust, linking, packing). That the C++ compiler makes the same of the same input twice
is not; test_cold_build.py proves it, in another quarter of an hour.
"""

import json

import pytest

pytestmark = pytest.mark.e2e


def test_every_default_wheel_is_the_same_in_another_folder(clone, another):
    found = clone.wheels()
    assert len(found) >= 4
    another.share_compiler_cache(clone)
    hits, misses = clone.compilations()
    assert another.wheels() == found
    hits_then, misses_then = clone.compilations()
    # what misses is CMake's trying out of the compiler, in folders with names at random
    assert hits_then - hits > 200 and misses_then - misses < 10
    records = another.folder.glob("results/wheels/*/*/*/wheel.json")
    assert {json.loads(file.read_text())["paths"] for file in records} == {"fixed"}
