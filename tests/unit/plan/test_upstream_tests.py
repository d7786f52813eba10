"""Whose tests are run: what is built here, and what the lock has of the same version."""

import pytest

from snakedev.base.errors import UserError
from tests.unit.plan.default_plan import plan


def test_wheels_of_the_lock_are_tested_as_well_as_those_built_here() -> None:
    made = plan()
    repos = made.tests.repos("cpu")
    assert {"vllm", "safetensors", "tokenizers", "xgrammar", "llguidance"} <= {*repos}
    # the lock's wheel and the one that is built in its place
    assert repos == plan(repos__tokenizers__enabled=True).tests.repos("cpu")
    runs = {run.repo: run for run in made.tests.runs() if run.column == "free"}
    assert "vllm" in runs["vllm"].built and "tokenizers" not in runs["tokenizers"].built


def test_a_repo_of_another_version_than_the_locks_is_not_tested() -> None:
    changed = plan(repos__tokenizers__version="0.23.2", test_report__repos=["tokenizers"])
    with pytest.raises(UserError) as error:
        changed.tests.repos("cpu")
    assert str(error.value) == (
        "config.yaml: test_report.repos: 'tokenizers' is neither built nor, in its version, in "
        "envs/run-cpu.lock"
    )


def test_whoever_prunes_keeps_runs_and_what_they_ran_in() -> None:
    made = plan()
    reached = {*made.reached()}
    assert {made.layout.folder(run) for run in made.tests.runs()} <= reached
    assert made.layout.folder(made.wheels.test_environment("cpu")) in reached
