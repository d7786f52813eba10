"""Finished wheels that are repacked: where they go, and what of them enters keys."""

import pytest

from snakedev.base.errors import UserError
from snakedev.config.read import check
from snakedev.environments.locks import lock_pins
from snakedev.plan.checks import require_inputs
from tests.project import PROJECT
from tests.unit.default_config import changed
from tests.unit.plan.default_plan import plan

OTHER = "0" * 64


def repos_in(variant: str, **overrides: object) -> set[str]:
    return {wheel.repo for wheel in plan(**overrides).wheels.run_environment(variant).wheels}


def test_triton_goes_where_a_lock_has_it():
    assert "triton" in repos_in("cuda")
    assert "triton" not in repos_in("cpu")
    assert "triton" not in plan(variants={"cpu": {}}).buildable.repos


def test_it_is_told_from_the_wheel_of_the_index():
    made = plan().wheels.wheel("triton", "any")
    locked = lock_pins(PROJECT / "envs/run-cuda.lock")["triton"].version
    assert made.version == f"{locked}+patched"


def test_what_is_declared_is_in_the_key():
    declared = plan().config.repos["triton"].declared
    module = declared["triton/_C/libtriton.so"]
    keys = {
        plan(repos__triton__declared=given).wheels.wheel("triton", "any").key
        for given in (
            {"triton/_C/libtriton.so": module.model_dump()},
            {"triton/_C/libtriton.so": module.model_dump() | {"locked": []}},
            {"triton/_C/libtriton.so": module.model_dump() | {"sha256": OTHER}},
            {},
        )
    }
    assert len(keys) == 4
    assert plan().wheels.wheel("triton", "any").key in keys


def test_a_lock_that_has_another_version_is_named():
    with pytest.raises(UserError, match=r"repos\.triton\.version: 3\.0 would stand for"):
        require_inputs(plan(repos__triton__version="3.0"), with_locks=True)
    require_inputs(plan(repos__triton__version="3.0", variants={"cpu": {}}), with_locks=True)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "repos/triton/release/folder",
            "triton",
            "repos.triton: 'recipe: repack' takes a finished wheel: it needs 'origin: release', "
            "and a release with 'kind: wheel' and without 'folder'",
        ),
        ("repos/triton/origin", "git", "repos.triton: 'recipe: repack' takes a finished wheel"),
        ("repos/triton/recipe", "maturin", "'folder' goes with 'kind: wheel'"),
        (
            "repos/vllm/declared",
            {"vllm/_C.so": {"sha256": OTHER}},
            "repos.vllm: 'declared' goes with 'recipe: repack'",
        ),
        (
            "repos/triton/declared",
            {"/libtriton.so": {"sha256": OTHER}},
            "not a relative path inside the source (found '/libtriton.so')",
        ),
        (
            "repos/triton/declared",
            {"triton/_C/libtriton.so": {"sha256": OTHER, "locked": ["a b"]}},
            "repos.triton.declared.triton/_C/libtriton.so.locked.0: 'a b' is not the name of a "
            "function",
        ),
    ],
)
def test_what_does_not_fit_a_finished_wheel_is_named(path: str, value: object, said: str):
    with pytest.raises(UserError) as raised:
        check(changed(path, value))
    assert said in str(raised.value) and "\n" not in str(raised.value)
