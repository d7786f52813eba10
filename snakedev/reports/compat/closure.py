"""What vLLM asks for, and what that asks for in turn, on an ordinary Python: resolved by uv.

Nothing is built for it: wheels' metadata are enough, which most indexes serve beside the wheels.
"""

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.environments.locks import lock_pins
from snakedev.environments.requirements import marker_environment
from snakedev.fetch.index_pages import PackageIndex
from snakedev.fetch.uv import run_uv
from snakedev.reports.compat.availability import PLATFORM, versions

ROOT = "vllm"
"""What asks for the requirements of vLLM's own files."""
# `mcp==1.2  # via -r cpu.in, anthropic`, the name with extras or without
_ANNOTATED = re.compile(
    r"^(?P<name>[^\s=\[]+)(?:\[[^\]]*\])?==(?P<version>\S+)\s+# via (?P<via>.+)$"
)


@dataclass(frozen=True)
class Dependency:
    """A package of the closure."""

    name: str
    """Its canonical name."""
    version: str | None
    """None where it is not on the index, and asked for in no one version."""
    via: tuple[str, ...]
    """What asks for it, by canonical name."""


@dataclass(frozen=True)
class Closure:
    """All that a variant of vLLM pulls in."""

    variant: str
    packages: Mapping[str, Dependency]


def resolve(
    asked: Iterable[str],
    variant: str,
    lock: Path,
    python: str,
    index: PackageIndex,
    running: Job,
    *,
    torch_index: str | None = None,
    offline: bool = False,
) -> Closure:
    """Resolve what a variant of vLLM ``asked`` for on an ordinary ``python``.

    The pins of ``lock`` are taken where they fit, so that the closure has the versions that are
    used here. What no file on the index meets is part of it, too, but not resolved.
    ``torch_index`` is looked at besides the usual one; ``offline`` answers from uv's cache. Raises
    UserError when an index does not answer, CommandError when uv finds no solution.
    """
    requirements = _on(asked, python)
    pages = index.pages(requirement.name for requirement in requirements)
    met: list[Requirement] = []
    unmet: list[Requirement] = []
    for requirement in requirements:
        there = versions(pages[canonicalize_name(requirement.name)])
        # what comes from an address is on no index
        fits = requirement.url is None and any(
            requirement.specifier.contains(version, prereleases=True) for version in there
        )
        (met if fits else unmet).append(requirement)
    running.say(f"{variant}: resolving {len(met)} requirements for Python {python}")
    lines = _compiled(variant, met, lock, python, running, torch_index, offline)
    packages: dict[str, Dependency] = {}
    for line in lines:
        if match := _ANNOTATED.match(line):
            via = (ROOT if asker.startswith("-r ") else asker for asker in match["via"].split(", "))
            name = canonicalize_name(match["name"])
            asked_by = tuple(sorted({canonicalize_name(asker.split("[")[0]) for asker in via}))
            packages[name] = Dependency(name, match["version"], asked_by)
    for one in unmet:
        name = canonicalize_name(one.name)
        packages[name] = Dependency(name, _pinned(one.specifier), (ROOT,))
    running.say(f"{variant}: {len(packages)} packages")
    return Closure(variant, packages)


def _on(asked: Iterable[str], python: str) -> list[Requirement]:
    """What of requirements counts on a Python."""
    environment = marker_environment(python)
    requirements = []
    for requirement in map(Requirement, asked):
        if requirement.marker and not requirement.marker.evaluate(environment):
            continue
        requirement.marker = None
        requirements.append(requirement)
    return requirements


def _compiled(
    variant: str,
    requirements: Sequence[Requirement],
    lock: Path,
    python: str,
    running: Job,
    torch_index: str | None,
    offline: bool,
) -> list[str]:
    """uv's solution: a line for each package, with what asks for it behind."""
    with tempfile.TemporaryDirectory() as scratch:
        given, result = Path(scratch) / f"{variant}.in", Path(scratch) / f"{variant}.txt"
        given.write_text("".join(f"{requirement}\n" for requirement in requirements))
        pins = lock_pins(lock).items()
        result.write_text("".join(f"{name}=={pin.version}\n" for name, pin in pins))
        try:
            run_uv(
                f"resolving what vLLM for {variant} asks for",
                [
                    *("pip", "compile", "--quiet", "--no-header", "--annotation-style", "line"),
                    *("--no-emit-index-url", "--no-emit-find-links", "--only-binary", ":all:"),
                    *("--python-version", python, "--python-platform", PLATFORM),
                    *(["--offline"] if offline else []),
                    *(given, "--output-file", result),
                ],
                running,
                torch_index=torch_index,
            )
        except (UserError, CommandError):
            if not offline:
                raise
            raise UserError(
                "compat_report.offline: uv's cache lacks what vLLM's requirements are resolved "
                "with: set it to false for one run with a network"
            ) from None
        return result.read_text(encoding="utf-8").splitlines()


def _pinned(specifier: SpecifierSet) -> str | None:
    """The one version that a specifier asks for, if it does."""
    exact = [one.version for one in specifier if one.operator == "=="]
    return str(Version(exact[0])) if len(exact) == 1 and "*" not in exact[0] else None
