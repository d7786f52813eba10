"""Compiling locks with uv: all of them or none."""

import re
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.base.records import write_text
from snakedev.config.source_facts import SourceFacts, facts_file
from snakedev.environments.exclusions import FILE as EXCLUSIONS_FILE
from snakedev.environments.lock_inputs import Line, asking_for, requirement_lines
from snakedev.environments.locks import (
    LOCKS,
    ORDINARY_TARGET,
    WHEELS_TARGET,
    listed_lines,
    lock_exclusions,
    lock_head,
    lock_names,
    lock_pins,
    lock_sources,
    require_lists,
    source_lines,
)
from snakedev.fetch.indexes import TORCH_PACKAGES
from snakedev.fetch.uv import run_uv

_STAND_IN = re.compile(r"(\S+) @ file:")


def compile_locks(
    folder: Path,
    wanted: Mapping[str, str | None],
    python: Path,
    facts: Sequence[SourceFacts],
    running: Job,
    *,
    upgrade: bool = False,
) -> list[str]:
    """Compile locks, and write all of them and the facts, or nothing; returns the names of those
    whose text changed.

    ``wanted`` has the index of torch by lock, ``facts`` what is known of the pinned sources. Pins
    of present locks are kept where they still fit, unless ``upgrade`` is set. ``python`` is the
    interpreter that locks of builds and runs are for. Raises UserError when an index does not
    answer, for lines that no lock can answer, and with a line for each lock that has no solution.
    """
    require_lists(folder, [LOCKS[name] for name in wanted])
    texts: dict[str, str] = {}
    problems = []
    with tempfile.TemporaryDirectory() as compiled:
        for name, torch_index in wanted.items():
            running.say(f"compiling {name}.lock")
            asked, base = source_lines(folder, name, facts), _base(folder, name, Path(compiled))
            try:
                left_out, body = _solved(
                    folder, name, python, torch_index, asked, base, running, upgrade
                )
            except CommandError as error:
                lines = [*listed_lines(folder, name, torch_index), *asked]
                problems.append(_unsolved(folder, name, lines, error))
            else:
                texts[name] = lock_head(folder, name, torch_index, left_out, facts, base) + body
                (Path(compiled) / f"{name}.lock").write_text(texts[name], encoding="utf-8")
    if problems:
        raise UserError("\n".join([*problems, f"no lock in {folder} was changed"]))
    for one in facts:
        one.write(facts_file(folder, one.repo))
    return [
        name for name, text in texts.items() if _written(folder / f"{name}.lock", text, running)
    ]


def _base(folder: Path, name: str, compiled: Path) -> Path | None:
    """The lock that another is based on: as it was just compiled, else the present one."""
    if (base := LOCKS[name].base) is None:
        return None
    just = compiled / f"{base}.lock"
    return just if just.is_file() else folder / just.name


def _written(lock: Path, text: str, running: Job) -> bool:
    """Write a lock; whether its text changed."""
    changed = not lock.is_file() or lock.read_text(encoding="utf-8") != text
    if changed:
        write_text(lock, text)
    running.say(f"{lock}: {'written' if changed else 'unchanged'}, {len(lock_pins(lock))} packages")
    return changed


def _solved(
    folder: Path,
    name: str,
    python: Path,
    torch_index: str | None,
    asked: Sequence[Line],
    base: Path | None,
    running: Job,
    upgrade: bool,
) -> tuple[set[str], str]:
    """The excluded packages that those of a lock ask for, and the lock's lines; raises
    CommandError when uv finds no solution."""
    present = folder / f"{name}.lock"
    excluded = lock_exclusions(folder, name).packages
    with tempfile.TemporaryDirectory() as scratch:
        result, from_sources = Path(scratch) / present.name, Path(scratch) / "sources.in"
        kept = present.is_file() and not upgrade
        result.write_text(present.read_text(encoding="utf-8") if kept else "", encoding="utf-8")
        from_sources.write_text("".join(f"{line.text}\n" for line in asked), encoding="utf-8")
        target: list[str | Path] = [*ORDINARY_TARGET]
        if LOCKS[name].purpose != "tool":
            target = [*WHEELS_TARGET, "--python", python.absolute()]
        if torch_index is not None:
            # a present pin of the usual index's torch would be kept
            target += [f"--upgrade-package={package}" for package in TORCH_PACKAGES]
        run_uv(
            f"compiling {present.name}",
            [
                "pip",
                "compile",
                "--quiet",
                "--generate-hashes",
                "--no-header",
                "--no-annotate",
                "--no-strip-extras",
                "--no-emit-index-url",
                "--no-emit-find-links",
                *target,
                *lock_sources(folder, name, torch_index),
                from_sources,
                "--overrides",
                _stand_ins(excluded, Path(scratch)),
                *_versions_of(base, excluded, Path(scratch)),
                "--output-file",
                result,
            ],
            running,
            torch_index=torch_index,
        )
        lines = requirement_lines(result, indent="    ")
    left_out, body = set[str](), []
    in_base = lock_pins(base).keys() if base else ()
    for line in lines:
        if not line.startswith(" "):
            stand_in = _STAND_IN.match(line)
            if stand_in:
                left_out.add(canonicalize_name(stand_in[1]))
            wanted = not stand_in and lock_names(line).isdisjoint(in_base)
        if wanted:
            body.append(f"{line}\n")
    return left_out, "".join(body)


def _versions_of(base: Path | None, excluded: Iterable[str], folder: Path) -> list[str | Path]:
    """What has uv take the versions of the lock that another is based on."""
    if base is None:
        return []
    pins = {name: pin for name, pin in lock_pins(base).items() if name not in {*excluded}}
    versions = folder / "constraints.txt"
    lines = (f"{name}=={pin.version}\n" for name, pin in pins.items())
    versions.write_text("".join(lines), encoding="utf-8")
    return ["--constraints", versions]


def _stand_ins(packages: Iterable[str], folder: Path) -> Path:
    """Empty wheels for packages, and a file that has uv take them in the packages' places: which
    of them are in its solution says which are asked for, whoever asks."""
    lines = []
    for package in packages:
        name = package.replace("-", "_")
        wheel, info = folder / f"{name}-0-py3-none-any.whl", f"{name}-0.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            said = f"Metadata-Version: 2.1\nName: {package}\nVersion: 0\n"
            archive.writestr(f"{info}/METADATA", said)
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        lines.append(f"{package} @ {wheel.absolute().as_uri()}\n")
    overrides = folder / "overrides.txt"
    overrides.write_text("".join(lines), encoding="utf-8")
    return overrides


def _unsolved(folder: Path, name: str, lines: Sequence[Line], error: CommandError) -> str:
    """Why a lock has no solution, in uv's words, and the lines that these are about."""
    said = " ".join(re.sub(r"^[^\w`]+", "", line) for line in error.tail)
    about = dict.fromkeys(f"{line.place} '{line.text}'" for line in asking_for(lines, said))
    where = ", ".join(about) or ", ".join(map(str, lock_sources(folder, name, None)))
    return (
        f"{where}: {name}.lock has no solution: {said}: change that line, or name in "
        f"{folder / EXCLUSIONS_FILE} what has no wheel for it"
    )
