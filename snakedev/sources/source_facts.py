"""What a source says of itself: the requirements of its files, and what its builds take in."""

import os
import re
import tomllib
from collections.abc import Iterator
from copy import copy
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from snakedev.base.errors import UserError
from snakedev.config.fields import VARIANTS
from snakedev.config.source_facts import SourceFacts, SourceIdentity, facts_file
from snakedev.sources.external_projects import read_build
from snakedev.sources.source import lay_files
from snakedev.store.layout import Layout
from snakedev.store.publish import scratch_in
from snakedev.store.source_specs import PinnedSpec

_INCLUDE = re.compile(r"^(?:-r|--requirement)(?:\s*=\s*|\s*)(?P<file>\S+)$")
_FOLDER = Path("requirements")


def read_pinned(
    spec: PinnedSpec, identity: SourceIdentity, layout: Layout, archive: Path | None
) -> SourceFacts:
    """What is to be known of a pinned source, without its patches.

    ``archive`` is the release's, None for origin git (the mirror has the commit then). Raises
    UserError when the archive is unsafe, and as `read_source` does.
    """
    with scratch_in(layout.cache / "facts") as scratch:
        tree = scratch / "tree"
        lay_files(spec.repo, spec.pin, layout, archive, tree)
        return read_source(tree, identity)


def read_source(tree: Path, identity: SourceIdentity) -> SourceFacts:
    """What is to be known of a source whose files lie in ``tree``.

    Raises UserError for a file of requirements that is missing or cannot be read, and for CMake
    files that are not understood.
    """
    build = read_build(tree)
    variants = [v for v in VARIANTS if (tree / _FOLDER / f"{v}.txt").is_file()]
    return SourceFacts(
        **identity.model_dump(),
        requirements={v: _texts(run_requirements(tree, v)) for v in variants},
        build_requirements={v: _texts(build_requirements(tree, v)) for v in variants},
        external_projects=build.external_projects,
        tags=build.tags,
        extensions=build.extensions,
    )


def refuse_other(known: SourceFacts, read: SourceFacts, folder: Path) -> None:
    """Raise UserError where a source says otherwise than what is known of it in ``folder``."""
    differing = [
        field for field in SourceFacts.model_fields if getattr(known, field) != getattr(read, field)
    ]
    if differing:
        raise UserError(
            f"{facts_file(folder, known.repo)}: {', '.join(differing)}: the source of {known.repo} "
            f"{known.version} says otherwise: run `snakemake locks`"
        )


def run_requirements(tree: Path, variant: str) -> Iterator[tuple[str, Requirement]]:
    """What running a variant asks for, each with the file that says so, as `file_requirements`."""
    yield from file_requirements(tree, _FOLDER / f"{variant}.txt")


def build_requirements(tree: Path, variant: str) -> Iterator[tuple[str, Requirement]]:
    """What building for a variant asks for, each with the file that says so: pyproject.toml, and
    the variant's own file, where that does not include what running asks for, too."""
    name = "pyproject.toml"
    try:
        table = tomllib.loads((tree / name).read_text(encoding="utf-8"))
        texts = table["build-system"]["requires"]
    except FileNotFoundError:
        raise UserError(f"{tree / name} is missing: no source of vLLM") from None
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise UserError(f"{tree / name}: no build-system.requires in it ({error})") from None
    for text in texts:
        yield name, _parsed(tree / name, text)
    own = _FOLDER / "build" / f"{variant}.txt"
    if (tree / own).is_file() and not any(map(_INCLUDE.match, _lines(tree / own))):
        yield from file_requirements(tree, own)


def file_requirements(
    tree: Path, file: Path, seen: frozenset[Path] = frozenset()
) -> Iterator[tuple[str, Requirement]]:
    """The requirements of a file of a source, and of those that it includes with `-r`.

    Each comes with the file that it stands in; options, such as those of an index, are left out,
    and so are local labels of versions, which one index's files have (`torch==2.11.0+cpu`).
    Raises UserError for a file that is missing and for a line that is no requirement.
    """
    if not (tree / file).is_file():
        raise UserError(f"{tree / file} is missing: this source has no such variant")
    for line in _lines(tree / file):
        if include := _INCLUDE.match(line):
            included = Path(os.path.normpath(file.parent / include["file"]))
            if included not in seen:
                yield from file_requirements(tree, included, seen | {file, included})
        elif not line.startswith("-"):
            yield file.as_posix(), _parsed(tree / file, line)


def _lines(file: Path) -> Iterator[str]:
    """The lines of a requirements file, without comments and without what is behind options."""
    text = file.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    for raw in text.splitlines():
        if line := re.sub(r"(^|\s)(#|--hash=).*", "", raw).strip():
            yield line


def _parsed(file: Path, text: str) -> Requirement:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        why = str(error).splitlines()[0]  # the next lines point at the place
        raise UserError(f"{file}: '{text}' is no requirement ({why})") from None
    return without_labels(requirement)


def without_labels(requirement: Requirement) -> Requirement:
    """A requirement without local labels of versions: `==2.11.0` also takes 2.11.0+cpu, which not
    every index has."""
    pins = (re.sub(r"^(==[^=+]*)\+.*", r"\1", str(one)) for one in requirement.specifier)
    bare = copy(requirement)
    bare.specifier = SpecifierSet(",".join(pins))
    return bare


def _texts(requirements: Iterator[tuple[str, Requirement]]) -> tuple[str, ...]:
    """Requirements as lines, each once."""
    return tuple(dict.fromkeys(str(requirement) for _, requirement in requirements))
