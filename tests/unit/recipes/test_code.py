"""Code behind artifacts: names are followed, and what runs nothing does not count."""

from pathlib import Path

import pytest

from snakedev.recipes.code import Code

SCRIPT = """
from snakedev.room.maker import make
from snakedev.room import other

make(other.LIMIT)
"""
MAKER = '''
"""A module."""

from typing import TYPE_CHECKING

from snakedev import inside
from snakedev.base.job import job

if TYPE_CHECKING:
    from snakedev.room.other import Typed

KNOWN = {}
"""What is known."""


def make(limit: "Typed") -> "Typed":
    """Make it."""
    return helper(limit)  # by the helper


def helper(limit):
    from snakedev.room.late import late

    return [2 * late(limit), inside.FOLDER / "programs", job]


def beside():
    return 1


KNOWN["make"] = make
'''
OTHER = """
from snakedev.room.late import constant as LIMIT


class Typed:
    pass
"""
LATE = """
constant = 1


def late(limit):
    return limit
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A package of a few modules, and a script."""
    files = {
        "scripts/thing.py": SCRIPT,
        "snakedev/room/maker.py": MAKER,
        "snakedev/room/other.py": OTHER,
        "snakedev/room/late.py": LATE,
        "snakedev/base/job.py": "def job(): return 1",
        "snakedev/inside/__init__.py": "FOLDER = 1",
        "snakedev/inside/programs/run.py": "print(1)",
        "snakedev/inside/programs/data": "text",
        "snakedev/inside/unused.py": "print(2)",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_what_a_script_names_is_behind_it_and_what_that_names(project):
    assert list(Code(project).behind("thing")) == [
        "scripts/thing.py",
        "snakedev/inside/programs/data",
        "snakedev/inside/programs/run.py",
        "snakedev/room/late.py",
        "snakedev/room/maker.py",
        "snakedev/room/other.py",
    ]


def changed(project: Path, file: str, text: str, other: str) -> set[str]:
    """The files with another digest when a text in one of them is replaced."""
    before, path = Code(project).behind("thing"), project / file
    assert text in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(text, other), encoding="utf-8")
    after = Code(project).behind("thing")
    return {name for name in before | after if before.get(name) != after.get(name)}


@pytest.mark.parametrize(
    ("file", "text", "other"),
    [
        ("snakedev/room/maker.py", "2 *", "3 *"),
        ("snakedev/room/maker.py", "2 *", "2.0 *"),
        ("snakedev/room/maker.py", "(limit):", "(limit=None):"),
        ("snakedev/room/maker.py", '["make"]', '["other"]'),
        ("snakedev/room/late.py", "constant = 1", "constant = 2"),
        ("snakedev/room/late.py", "return limit", "return -limit"),
        ("snakedev/inside/programs/run.py", "1", "3"),
        ("snakedev/inside/programs/data", "text", "other"),
        ("scripts/thing.py", "make(other.LIMIT)", "make(2)"),
    ],
)
def test_code_counts(project, file, text, other):
    assert file in changed(project, file, text, other)


@pytest.mark.parametrize(
    ("file", "text", "other"),
    [
        ("snakedev/room/maker.py", "by the helper", "by another"),
        ("snakedev/room/maker.py", '"""Make it."""', '"""Make\n    one."""'),
        ("snakedev/room/maker.py", '"""What is known."""', ""),
        ("snakedev/room/maker.py", "helper(limit)  #", "(helper( limit ))  #"),
        # no part of it: a definition that nothing names, types, and what is beside an artifact
        ("snakedev/room/maker.py", "return 1", "return 2"),
        ("snakedev/room/other.py", "    pass", "    known = 1"),
        ("snakedev/base/job.py", "1", "2"),
        ("snakedev/inside/unused.py", "2", "3"),
    ],
)
def test_what_has_no_part_in_it_does_not_count(project, file, text, other):
    assert not changed(project, file, text, other)


def test_definitions_may_change_places(project):
    moved = MAKER.replace("def beside():\n    return 1\n", "")
    assert moved != MAKER
    text = 'KNOWN = {}\n"""What is known."""\n'
    assert not changed(project, "snakedev/room/maker.py", text, f"def beside(): 0\n\n\n{text}")
