"""Every default wheel, compiled again from nothing in another folder, is the same byte for byte.

Run on purpose, for it compiles vLLM a second time; test_reproducible.py is the quick one.
"""

import pytest

pytestmark = pytest.mark.e2e


def test_every_default_wheel_is_the_same_when_it_is_compiled_again(clone, another):
    found = clone.wheels()
    assert another.wheels() == found
    hits, misses = another.compilations()
    assert hits == 0 and misses > 200
