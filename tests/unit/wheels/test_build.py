"""What a build says of extensions that a sanitizer does not see."""

import pytest

from snakedev.base.errors import UserError
from snakedev.store.specs import KernelsInput
from snakedev.wheels.build import check_instrumented
from tests.unit.wheels.tiny import SANITIZED, SPEC

BUILT = SPEC.model_copy(update={"interpreter": SANITIZED})
RUST = BUILT.model_copy(update={"compilers": {"cc": "gcc 12", "rustc": "rustc 1"}})
KERNELS = KernelsInput(sha256="0" * 64, recipe_number=1)


def test_nothing_is_said_where_all_is_seen(running, capsys):
    check_instrumented(BUILT, {"tiny.native": True}, running)
    check_instrumented(BUILT, {}, running)
    assert capsys.readouterr().err == ""


def test_what_is_not_seen_is_named(running, capsys):
    check_instrumented(BUILT, {"tiny.native": True, "tiny.kernels": False}, running)
    assert "ThreadSanitizer does not see tiny.kernels\n" in capsys.readouterr().err
    check_instrumented(RUST, {"tiny.native": False}, running)
    said = capsys.readouterr().err
    assert "does not see tiny.native: Rust's stable compiler has no sanitizers\n" in said
    borrowed = BUILT.model_copy(update={"kernels": KERNELS})
    check_instrumented(borrowed, {"tiny.kernels": False}, running)
    assert "does not see tiny.kernels\n" in capsys.readouterr().err


def test_a_build_that_does_not_heed_the_flags_is_refused(running):
    with pytest.raises(UserError, match="tiny: not one of its extensions was compiled with"):
        check_instrumented(BUILT, {"tiny.native": False}, running)
