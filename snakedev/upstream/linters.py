"""Upstream's own linters: the hooks of its pre-commit that need no forge.

pre-commit installs hooks from git repositories. Those that are programs of the package index are
taken from there instead, as hooks of the project itself, and the others are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from uv import find_uv_bin

from snakedev.base.git import isolated_environment, run_git
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.base.records import write_text
from snakedev.base.text import first_of
from snakedev.base.yaml_file import read_yaml
from snakedev.fetch.uv import environment
from snakedev.reports.upstream.record import Rule

CONFIG = ".pre-commit-config.yaml"
_PROGRAM = "pre-commit>=4,<5"
_PYTHON = ["python", "pyi", "jupyter"]
# What the repositories of these programs say of their hooks, by the repository.
_ON_THE_INDEX: Mapping[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "astral-sh/ruff-pre-commit": (
        "ruff",
        {
            "ruff": {"entry": "ruff check --force-exclude", "types_or": _PYTHON},
            "ruff-check": {"entry": "ruff check --force-exclude", "types_or": _PYTHON},
            "ruff-format": {"entry": "ruff format --force-exclude", "types_or": _PYTHON},
        },
    ),
    "crate-ci/typos": ("typos", {"typos": {"entry": "typos", "types": ["text"]}}),
    "pre-commit/mirrors-clang-format": (
        "clang-format",
        {"clang-format": {"entry": "clang-format -i", "types_or": ["c", "c++", "cuda"]}},
    ),
}
_RULE = "its linters pass"


@dataclass(frozen=True)
class Linters:
    """The hooks of a checkout, as they can be run here."""

    config: Path
    left_out: tuple[str, ...]
    """The hooks that come from a forge only."""


def linters_of(tree: Path, scratch: Path) -> Linters | None:
    """Write the hooks of a checkout that need no forge into a folder; None where it has none."""
    path = tree / CONFIG
    if not path.is_file():
        return None
    config = read_yaml(path)
    kept, left_out = [], []
    for source in config["repos"]:
        program, hooks = _program(source["repo"])
        if source["repo"] in ("local", "meta"):
            kept.append(source)
            continue
        taken = [_as_local(hook, hooks, program, source["rev"]) for hook in source["hooks"]]
        kept += [{"repo": "local", "hooks": [hook]} for hook in taken if hook]
        left_out += [
            hook["id"] for hook, ours in zip(source["hooks"], taken, strict=True) if not ours
        ]
    written = scratch / CONFIG
    write_text(written, yaml.safe_dump({**config, "repos": kept}, sort_keys=False))
    return Linters(written, tuple(dict.fromkeys(left_out)))


def _program(url: str) -> tuple[str, dict[str, dict[str, Any]]]:
    name = "/".join(str(url).removesuffix(".git").rsplit("/", 2)[-2:])
    return _ON_THE_INDEX.get(name, ("", {}))


def _as_local(
    hook: dict[str, Any], known: Mapping[str, dict[str, Any]], program: str, rev: str
) -> dict[str, Any] | None:
    """A hook as one of the project itself, its program from the package index."""
    if hook["id"] not in known:
        return None
    install = {"additional_dependencies": [f"{program}=={rev.removeprefix('v')}"]}
    said = {"name": hook["id"], "language": "python", "require_serial": True}
    return {**said, **known[hook["id"]], **hook, **install}


def lint(tree: Path, branch: str, base: str, linters: Linters, cache: Path, running: Job) -> Rule:
    """Run the hooks on what a branch changes; the checkout stays on it, as it was."""
    run_git(["checkout", "--quiet", "--force", branch], tree)
    lines: list[str] = []
    words = ["tool", "run", "--quiet", "--from", _PROGRAM, "pre-commit", "run", "--color=never"]
    which = [f"--config={linters.config.resolve()}", f"--from-ref={base}", f"--to-ref={branch}"]
    variables = {**environment(), **_git_settings(), "PRE_COMMIT_HOME": str(cache.resolve())}
    try:
        running.run(
            [find_uv_bin(), *words, *which],
            cwd=tree,
            env=variables,
            watch=lambda line: lines.append(line.rstrip()),
        )
    except CommandError:
        failed = [_name(line) for line in lines if line.endswith("Failed")]
        if not failed:
            why = next((line for line in reversed(lines) if line.strip()), "it said nothing")
            return Rule(rule=_RULE, met=False, detail=f"pre-commit could not be run here: {why}")
        return Rule(rule=_RULE, met=False, detail=f"{first_of(failed)}: failed")
    finally:
        run_git(["reset", "--quiet", "--hard"], tree)
    passed = sum(line.endswith("Passed") for line in lines)
    without = f", without {first_of(list(linters.left_out))}" if linters.left_out else ""
    return Rule(rule=_RULE, met=True, detail=f"{passed} of its pre-commit hooks ran{without}")


def _git_settings() -> dict[str, str]:
    names = ("GIT_CONFIG", "LC_ALL")
    return {k: v for k, v in isolated_environment().items() if k.startswith(names)}


def _name(line: str) -> str:
    return line.split("..")[0].strip()
