"""What a build by CMake takes in of other projects: read from the files in which it says so."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from snakedev.base.errors import UserError
from snakedev.config.source_facts import ExternalProject
from snakedev.sources.cmake import Command, reached

FOLDER = "cmake/external_projects"
"""Where each file is of a project that a build can do without."""
_INCLUDED = re.compile(rf"(?:.*/)?{FOLDER}/([\w-]+)\.cmake")
_VARIABLE = re.compile(r"ENV\{(\w+_SRC_DIR)\}")
# what finds out about other processors than x86-64 is not followed
_OTHER_CPUS = ("ASIMD_FOUND", "POWER9_FOUND", "POWER10_FOUND", "POWER11_FOUND", "S390_FOUND")
_BUILDS: Mapping[str, Mapping[str, str]] = {
    device: variables | dict.fromkeys(_OTHER_CPUS, "")
    for device, variables in {
        "cuda": {"VLLM_TARGET_DEVICE": "cuda", "VLLM_GPU_LANG": "CUDA"},
        "cpu": {"VLLM_TARGET_DEVICE": "cpu", "VLLM_GPU_LANG": ""},
    }.items()
}
"""By variant that takes other projects in: the variables that decide what its build comes to."""
_AT_THE_ROOT = {"CMAKE_SOURCE_DIR": ".", "CMAKE_CURRENT_SOURCE_DIR": "."}
_DECLARING = {"fetchcontent_declare", "fetchcontent_populate"}
_OTHERWISE = {"externalproject_add", "cpmaddpackage", "cpmfindpackage"}
_DOWNLOADS = ("URL", "SVN_REPOSITORY", "HG_REPOSITORY", "CVS_REPOSITORY", "DOWNLOAD_COMMAND")


@dataclass(frozen=True)
class Build:
    """What the builds of a source say of themselves."""

    external_projects: dict[str, ExternalProject]
    """The projects that one can do without, by the names of their files, in the order in which it
    comes to them."""
    tags: dict[str, str]
    """By project that one never does without: its tag or commit."""
    extensions: dict[str, tuple[str, ...]]
    """By variant: the extensions of the source itself."""


def read_build(tree: Path) -> Build:
    """What the builds of a source say of themselves in its CMake files.

    Raises UserError, with the place, for what of that cannot be read.
    """
    names: dict[str, None] = {}
    tags: dict[str, str] = {}
    extensions: dict[str, dict[str, None]] = {}
    for variant, command in _commands(tree):
        if command.name == "include" and "external_projects" in (path := command.texts[0]):
            if (found := _INCLUDED.fullmatch(path)) is None:
                raise command.wrong(f"which project {path} is, is not understood")
            names[found[1]] = None
        elif command.name == "define_extension_target" and not command.block:
            extensions.setdefault(variant, {})[command.expanded(command.texts[0])] = None
        for name, _, tag, _ in _declared(command):
            if tags.setdefault(name, tag) != tag:
                raise command.wrong(f"{name} is {tag} here, and {tags[name]} elsewhere")
    return Build(
        external_projects={name: _project(tree, name) for name in names},
        tags=tags,
        extensions={variant: tuple(found) for variant, found in extensions.items()},
    )


def _commands(tree: Path) -> Iterator[tuple[str, Command]]:
    """What the builds of variants come to outside the files of projects."""
    if not (tree / "CMakeLists.txt").is_file():
        return
    for variant, given in _BUILDS.items():
        for command in _following(tree, "CMakeLists.txt", given):
            yield variant, command


def _following(tree: Path, place: str, given: Mapping[str, str]) -> Iterator[Command]:
    """The commands of a file of a source, and those of other files behind what includes them."""
    here = {"CMAKE_CURRENT_LIST_DIR": str(PurePosixPath(place).parent)}
    for command in reached(tree / place, place, {**_AT_THE_ROOT, **given, **here}):
        yield command
        if command.name != "include" or "external_projects" in command.texts[0]:
            continue
        included = os.path.normpath(command.expanded(command.texts[0]))
        # a module of CMake's own is none of the source
        if (tree / included).is_file():
            yield from _following(tree, included, given)


def _project(tree: Path, name: str) -> ExternalProject:
    """What the file of a project says."""
    place = f"{FOLDER}/{name}.cmake"
    if not (tree / place).is_file():
        raise UserError(f"{place} is missing, and the build includes it")
    commands = [*reached(tree / place, place, _BUILDS["cuda"])]
    found = dict.fromkeys(one for command in commands for one in _declared(command))
    if len(found) != 1:
        shown = ", ".join(f"{url} at {tag}" for _, url, tag, _ in found) or "none"
        raise UserError(f"{place}: one git repository is to be named in it, and it has {shown}")
    ((_, url, tag, submodules),) = found
    variables = {
        v for command in commands for text in command.texts for v in _VARIABLE.findall(text)
    }
    if len(variables) != 1:
        shown = ", ".join(sorted(variables)) or "none"
        raise UserError(
            f"{place}: one variable ENV{{…_SRC_DIR}} is to name a folder in place of the "
            f"repository, and it has {shown}"
        )
    folders = {
        folder
        for c in commands
        if c.name in _DECLARING and (folder := c.one_after("SOURCE_SUBDIR"))
    }
    return ExternalProject(
        repository=url,
        commit=tag,
        variable=variables.pop(),
        submodules=submodules,
        folder=folders.pop() if folders else ".",
    )


def _declared(command: Command) -> Iterator[tuple[str, str, str, tuple[str, ...] | None]]:
    """A project that a command has CMake download: its name, repository, tag, and submodules (None
    for all)."""
    texts = command.texts
    fetches = command.name in _DECLARING
    other = command.name == "file" and texts[:1] == ("DOWNLOAD",)
    if other or command.name in _OTHERWISE or (fetches and not set(texts).isdisjoint(_DOWNLOADS)):
        raise command.wrong("it downloads what is no git repository of FetchContent")
    if not fetches or "GIT_REPOSITORY" not in texts:
        return
    if command.block:
        raise command.wrong(f"it stands in a {command.block}, which is not understood")
    url, tag = command.one_after("GIT_REPOSITORY"), command.one_after("GIT_TAG")
    if url is None or tag is None:
        raise command.wrong("GIT_TAG is not given, so that any commit could be taken")
    submodules = command.after("GIT_SUBMODULES")
    named = None if submodules is None else tuple(filter(None, submodules))
    yield command.expanded(texts[0]).lower(), url, tag, named
