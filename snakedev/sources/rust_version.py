"""The Rust that a source's crates ask for, looked at before anything is compiled.

cargo says the same where it begins to compile, after the build's environment is made.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.version import Version

from snakedev.base.errors import UserError
from snakedev.base.process import CommandError, output
from snakedev.machine.probe import Machine

# The Rust that reads a Cargo.lock of this version, or a Cargo.toml of this edition.
_LOCKS = {3: "1.53", 4: "1.78"}
_EDITIONS = {"2021": "1.56", "2024": "1.85"}


def refuse_unreadable(repo: str, manifest: Path, lock: Path, machine: Machine) -> None:
    """Raise UserError where this machine's cargo is too old for a source's own files."""
    package = tomllib.loads(manifest.read_text(encoding="utf-8")).get("package", {})
    version = tomllib.loads(lock.read_text(encoding="utf-8")).get("version")
    for what, least in (
        (f"version {version} of its Cargo.lock", _LOCKS.get(version or 0)),
        (f"edition {package.get('edition')}", _EDITIONS.get(str(package.get("edition")))),
        ("its Cargo.toml", package.get("rust-version")),
    ):
        if isinstance(least, str):
            _refuse_older(repo, what, least, machine)


def refuse_older(repo: str, manifest: Path, machine: Machine, variables: Mapping[str, str]) -> None:
    """Raise UserError where a crate that a build compiles asks for a newer Rust than is here.

    The crates must have been fetched. What only tests or other platforms use does not count.
    """
    host = re.search(r"^host: (\S+)$", _identity(machine), re.MULTILINE)
    question = ["cargo", "metadata", "--format-version", "1", "--locked", "--offline"]
    platform = ["--filter-platform", host[1]] if host else []
    try:
        answer = output(
            [*question, *platform, "--manifest-path", manifest], env=variables, cwd=manifest.parent
        )
    except CommandError:
        return  # cargo says it again when it builds
    data = json.loads(answer)
    packages = {package["id"]: package for package in data["packages"]}
    for name in _compiled(data["resolve"]):
        package = packages[name]
        if least := package.get("rust_version"):
            _refuse_older(repo, f"its crate {package['name']} {package['version']}", least, machine)


def _compiled(resolve: Mapping[str, Any]) -> set[str]:
    """The packages that a build of the root compiles."""
    nodes = {node["id"]: node["deps"] for node in resolve["nodes"]}
    todo, found = [resolve["root"]], set[str]()
    while todo:
        name = todo.pop()
        if name in found or name not in nodes:
            continue
        found.add(name)
        todo += [
            dependency["pkg"]
            for dependency in nodes[name]
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"])
        ]
    return found


def _refuse_older(repo: str, what: str, least: str, machine: Machine) -> None:
    here = re.match(r"rustc (\d+(?:\.\d+)+)", _identity(machine))
    if here and Version(here[1]) < Version(least):
        raise UserError(
            f"{repo}: {what} needs Rust {least}, and this machine's is {here[1]}: update it "
            f"(`rustup update`, or see https://rustup.rs), or leave the repo out with "
            f"repos.{repo}.enabled: false"
        )


def _identity(machine: Machine) -> str:
    rustc = machine.tools.get("rustc")
    return rustc.identity if rustc else ""
