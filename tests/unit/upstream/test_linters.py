"""Upstream's linters: which of its hooks can be run without a forge, and what they find."""

import pytest
import yaml

from snakedev.upstream.linters import lint, linters_of
from tests.unit.repositories import commit, git, repository

HOOKS = """\
exclude: made/
repos:
- repo: https://forge.invalid/astral-sh/ruff-pre-commit
  rev: v0.14.0
  hooks: [{id: ruff-check, args: [--select, F401]}, {id: unheard-of}]
- repo: https://forge.invalid/other/hooks
  rev: "1"
  hooks: [{id: spell}]
- repo: local
  hooks:
  - {id: no-tabs, name: No tabs, entry: "\\t", language: pygrep, types: [python]}
"""


@pytest.fixture
def tree(tmp_path):
    """A repository with hooks, and a branch that breaks two of them."""
    tree = tmp_path / "tree"
    repository(tree, {".pre-commit-config.yaml": HOOKS, "a.py": "a = 1\n"})
    git(tree, "switch", "--quiet", "--create", "change")
    commit(tree, {"a.py": "import os\nif 1:\n\ta = 1\n"})
    return tree


def test_programs_of_the_index_are_hooks_of_the_project(tree, tmp_path):
    linters = linters_of(tree, tmp_path / "scratch")
    assert linters.left_out == ("unheard-of", "spell")
    written = yaml.safe_load(linters.config.read_text())
    assert written["exclude"] == "made/"
    hooks = [hook for source in written["repos"] for hook in source["hooks"]]
    assert [source["repo"] for source in written["repos"]] == ["local", "local"]
    assert hooks[0]["additional_dependencies"] == ["ruff==0.14.0"]
    assert hooks[0]["args"] == ["--select", "F401"]
    assert hooks[1]["id"] == "no-tabs"
    assert linters_of(tmp_path, tmp_path) is None


@pytest.mark.slow
def test_hooks_that_fail_are_named(tree, tmp_path, running):
    linters = linters_of(tree, tmp_path / "scratch")
    rule = lint(tree, "change", "main", linters, tmp_path / "cache", running)
    assert (rule.met, rule.detail) == (False, "ruff-check, No tabs: failed")
    git(tree, "switch", "--quiet", "--create", "clean", "main")
    commit(tree, {"a.py": "a = 2\n"})
    rule = lint(tree, "clean", "main", linters, tmp_path / "cache", running)
    assert rule.met is True
    assert rule.detail == "2 of its pre-commit hooks ran, without unheard-of, spell"
