"""Requirements that no lock can hold: proposed as exclusions, for a person to look at."""

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement

from snakedev.base.git import run_git
from snakedev.base.process import CommandError
from snakedev.base.records import write_text
from snakedev.base.text import first_of
from snakedev.bump.target import Places
from snakedev.config.source_facts import SourceFacts
from snakedev.environments.exclusions import FILE, read_exclusions
from snakedev.environments.requirements import marker_environment
from snakedev.fetch.index_pages import Page
from snakedev.reports.bump.record import MoveRecord, ProposedExclusion
from snakedev.reports.compat.availability import OF_THE_INDEX, Availability, judge
from snakedev.reports.compat.built import built_here
from snakedev.reports.compat.closure import ROOT, Closure, resolve


def closures(places: Places, facts: SourceFacts, folder: Path) -> list[Closure]:
    """All that a source pulls in, for each variant that the index can answer for."""
    config = places.config
    return [
        resolve(
            facts.requirements.get(variant, ()),
            variant,
            folder / f"run-{variant}.lock",
            config.compat_report.python,
            places.index,
            places.running,
            torch_index=config.torch_index(variant),
        )
        for variant in config.configured_variants()
        if variant in OF_THE_INDEX
    ]


def proposed(
    places: Places, found: Collection[Closure], folder: Path
) -> tuple[ProposedExclusion, ...]:
    """The packages of closures that a free-threaded interpreter cannot have, and that are neither
    excluded nor built here, each with why and for what."""
    config = places.config
    pages = places.index.pages({name for closure in found for name in closure.packages})
    wanting: dict[str, ProposedExclusion] = {}
    for closure in found:
        known = {*read_exclusions(folder, f"run-{closure.variant}").packages, *built_here(config)}
        for name in _reached(closure, known | {*wanting}, pages, config.interpreter.version):
            package = closure.packages[name]
            answer = judge(pages[name], package.version, config.interpreter.version)
            wanting[name] = ProposedExclusion(
                package=name,
                reason=_reason(name, package.version, answer, config.interpreter.version),
                asked_by=package.via,
            )
    return tuple(wanting.values())


def write_proposals(proposals: Collection[ProposedExclusion], what: str, folder: Path) -> None:
    """Add proposals to exclusions.yaml, below a comment that says what they are."""
    if not proposals:
        return
    path = folder / FILE
    lines = [
        path.read_text(encoding="utf-8").rstrip("\n"),
        "",
        f"# proposed by `snakemake bump` for {what}: look at each, and say what it costs",
    ]
    for one in proposals:
        reason = f"{one.reason}; asked for by {', '.join(one.asked_by)}"
        lines += [f"{one.package}:", f"  reason: {json.dumps(reason)}"]
        lines += ["  without: not looked at yet"]
    write_text(path, "\n".join([*lines, ""]))


def left_out(
    places: Places, move: MoveRecord, asked: Collection[str], folder: Path, work: Path
) -> Iterator[str]:
    """What came and went of requirements that exclusions.yaml names: the source has to do without
    the former. ``asked`` is all that it pulls in, and ``work`` holds it."""
    locks = [f"run-{variant}" for variant in places.config.configured_variants()]
    excluded = {name for lock in locks for name in read_exclusions(folder, lock).packages}
    for step in move.steps:
        for one in step.requirements:
            name = one.what.partition(" ")[0]
            if name not in excluded or (one.after is None) == (name in asked):
                continue
            if one.after is None:
                yield f"envs/{FILE}: nothing asks for {name} any more"
            elif one.before is None:
                imported = _importing(name, work) if work.is_dir() else []
                where = f" in {first_of(imported)}" if imported else ""
                yield (
                    f"{move.repo} asks for {name} since {step.place}, and envs/{FILE} leaves it "
                    f"out: see that it is done without{where}"
                )


def _importing(package: str, checkout: Path) -> list[str]:
    """The files, but for tests, that import a package whose module has its name."""
    module = package.replace("-", "_")
    pattern = f"^[[:space:]]*(import|from) {module}([., ]|$)"
    files = ["*.py", ":!tests", ":!*/tests"]
    command = ["grep", "--name-only", "--extended-regexp", pattern, "--", *files]
    try:
        return run_git(command, checkout).splitlines()
    except CommandError:
        return []  # no file does


def needless(places: Places, asked: Collection[str], facts: SourceFacts) -> Iterator[str]:
    """What is built here on account of requirements that are no more, or are others by now."""
    wanted = _asked(facts, marker_environment(places.config.interpreter.version))
    for name, (repo, version) in sorted(built_here(places.config).items()):
        if repo == facts.repo:
            continue
        if name not in asked:
            yield f"repos.{repo}: nothing asks for {name} any more"
        elif name in wanted and not wanted[name].specifier.contains(version, prereleases=True):
            yield (
                f"repos.{repo}: its pin is {version}, and {wanted[name]} is asked for: "
                f"`snakemake bump --config 'bump={{{repo}: newest}}'`"
            )


def _asked(facts: SourceFacts, environment: Mapping[str, str]) -> dict[str, Requirement]:
    parsed = [Requirement(text) for texts in facts.requirements.values() for text in texts]
    return {
        one.name: one
        for one in parsed
        if one.marker is None or one.marker.evaluate(dict(environment))
    }


def _reached(
    closure: Closure, known: Collection[str], pages: Mapping[str, Page], python: str
) -> Iterator[str]:
    """The packages without a wheel that are still asked for when those before them are left out."""
    asks: dict[str, list[str]] = {}
    for name, package in closure.packages.items():
        for asker in package.via:
            asks.setdefault(asker, []).append(name)
    waiting, seen = [ROOT], {ROOT}
    while waiting:
        for name in sorted(asks.get(waiting.pop(0), ())):
            if name in seen or name in known:
                continue
            seen.add(name)
            answer = judge(pages[name], closure.packages[name].version, python)
            if answer.installable or answer.state == "elsewhere":
                waiting.append(name)
            else:
                yield name


def _reason(name: str, version: str | None, answer: Availability, python: str) -> str:
    at = f" ({version})" if version else ""
    if answer.state == "gil":
        return f"its wheels{at} are for {', '.join(answer.abis)}, none for free-threaded {python}"
    if answer.state == "source":
        return f"it has no wheel{at}, only a source distribution"
    return f"the package index has no {name}{at}"
