"""The rooms of the package: what may import what, and how large a file may be."""

import ast
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

from snakedev import ROOMS
from tests.project import PROJECT
from tools.rooms import TOP_LEVEL, House, figures, lines, named, room

HOUSE = House(PROJECT)
SCRIPTS = sorted(PROJECT.glob("scripts/*.py"))
FILES = sorted(
    file.relative_to(PROJECT)
    for folder in ("snakedev", "scripts", "tools", "tests", "docs")
    for file in PROJECT.glob(f"{folder}/**/*.py")
)
LINES = 300
LINES_OF_TESTS = 500
"""A file of tests is a list, which is read in parts; it may be longer."""


def packages(files, those=None):
    """The packages that files import, or those among them, each with the file."""
    for file in files:
        for top in {name.partition(".")[0] for name, _ in named(file)}:
            if those is None or top in those:
                yield str(file), top


def test_the_rooms_are_the_folders_of_the_package():
    folders = {file.parent.name for file in PROJECT.glob("snakedev/*/*.py")}
    assert set(ROOMS) == folders and len(ROOMS) == len(folders)


@pytest.mark.parametrize("name", (*ROOMS, TOP_LEVEL))
def test_a_room_imports_from_those_before_it(name):
    allowed = {*ROOMS} if name == TOP_LEVEL else {*ROOMS[: ROOMS.index(name) + 1]}
    wrong = [
        f"{one.importer}, line {one.line}: {one.imported}"
        for one in HOUSE.imports
        if room(one.importer) == name and room(one.imported) not in allowed
    ]
    assert not wrong


def test_what_another_python_runs_imports_little():
    allowed = {"snakedev.base.process", "snakedev.base.cpu"}
    outside = {
        one.imported
        for one in HOUSE.imports
        if room(one.importer) == "inside" and room(one.imported) != "inside"
    }
    lent = {one.imported for one in HOUSE.imports if one.importer in allowed}
    assert outside <= allowed and not lent


def test_no_modules_import_each_other():
    graph = {module: set() for module in HOUSE.files}
    for one in HOUSE.imports:
        graph[one.importer].add(one.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_the_package_imports_nothing_that_uses_it():
    users = {"snakemake", "scripts", "tools", "tests"}
    # a relative import names no package
    assert not [*packages(HOUSE.files.values(), {*users, "None"})]


def test_a_script_imports_the_package_alone():
    others = {name for _, name in packages(SCRIPTS)} - {"snakedev"} - sys.stdlib_module_names
    assert SCRIPTS and not others


def test_no_test_imports_from_another():
    tests = {
        f"{file}: {name}"
        for file in FILES
        for name, _ in named(PROJECT / file)
        if name.startswith("tests.") and ".test_" in name
    }
    assert not tests


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_says_what_is_in_it(name):
    file = PROJECT / "snakedev" / name / "__init__.py"
    said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    assert said and len(said.splitlines()) <= 2


def test_files_are_short():
    counts = {file: lines(PROJECT / file) for file in FILES}
    assert not {
        str(file): count
        for file, count in counts.items()
        if count > (LINES_OF_TESTS if file.name.startswith("test_") else LINES)
    }


def test_imports_are_seen_wherever_they_stand(tmp_path):
    package = tmp_path / "snakedev"
    for path, text in {
        "base/text.py": "def counted(): ...",
        "plan/plan.py": "def plan():\n    from snakedev.base.text import counted",
        "base/cpu.py": "if TYPE_CHECKING:\n    from snakedev.plan import plan",
        "schemas.py": "import json\nimport snakedev.plan.plan as plan",
    }.items():
        (package / path).parent.mkdir(parents=True, exist_ok=True)
        (package / path).write_text(text)
    found = {(one.importer, one.imported, one.line) for one in House(tmp_path).imports}
    assert found == {
        ("snakedev.plan.plan", "snakedev.base.text", 2),
        ("snakedev.base.cpu", "snakedev.plan.plan", 2),
        ("snakedev.schemas", "snakedev.plan.plan", 2),
    }


def test_the_figures_name_every_room():
    table = figures(HOUSE).splitlines()
    assert [line.split()[0] for line in table[1:-1]] == [*ROOMS, TOP_LEVEL]
    assert "arrows between rooms" in table[-1]
