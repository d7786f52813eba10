"""Imports packages from work folders; a copy of this file lies in a run environment.

A module is taken from the work folder if it has it there, and from the installed package
otherwise: compiled extensions and files that the build writes are only in the latter. Loaded by
a .pth file, so that every process of the environment has it.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from types import ModuleType

_SITE = os.path.dirname(os.path.realpath(__file__))
_PACKAGES = os.path.join(_SITE, "_snakedev_work.json")


class WorkFinder:
    """Finds the modules of packages whose Python files are edited in work folders."""

    def __init__(self, packages: Mapping[str, str], written: Iterable[str]) -> None:
        """``packages`` are folders by the package's dotted name.

        ``written`` are the modules that the build writes, whatever the folder has in their place.
        """
        self._packages, self._written = packages, frozenset(written)

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """The spec of a module of these packages; None for every other."""
        root = next((r for r in self._packages if name == r or name.startswith(f"{r}.")), None)
        if root is None:
            return None
        work = os.path.join(self._packages[root], *name[len(root) :].split(".")[1:])
        installed = os.path.join(_SITE, *name.split("."))
        init = os.path.join(work, "__init__.py")
        if os.path.isfile(init):
            folders = [work, installed]
            return spec_from_file_location(name, init, submodule_search_locations=folders)
        if name != root and os.path.isfile(f"{work}.py") and name not in self._written:
            return spec_from_file_location(name, f"{work}.py")
        found = PathFinder.find_spec(name, [os.path.dirname(installed)])
        if found is not None and found.has_location:
            return found
        folders = [folder for folder in (work, installed) if os.path.isdir(folder)]
        if not folders:
            return None
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = folders
        return spec


def _install() -> None:
    with open(_PACKAGES, encoding="utf-8") as file:
        known = json.load(file)
    packages = {
        name: os.path.normpath(os.path.join(_SITE, place))
        for name, place in known["packages"].items()
    }
    sys.meta_path.insert(0, WorkFinder(packages, known["written"]))


if os.path.isfile(_PACKAGES):
    _install()
