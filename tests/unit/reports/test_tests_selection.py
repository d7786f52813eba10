"""Which tests of a source are run."""

from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.config.upstream_tests import UpstreamTests
from snakedev.reports.tests.selection import copied, excepted, sessions

PLACE = "repos.greeter.tests"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("tests/core/test_a.py", "tests/core/test_b.py", "tests/test_c.py", "pkg/pkg.py"):
        file = tmp_path / "tree" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    (tmp_path / "tree/tests/core/helper.py").write_text("")
    return tmp_path / "tree"


def suite(**more: object) -> UpstreamTests:
    return UpstreamTests.model_validate({"paths": ["tests"]} | more)


def test_only_what_tests_need_is_copied(tree: Path, tmp_path: Path) -> None:
    folder = copied(suite(folder="tests"), tree, tmp_path / "copy", PLACE)
    assert folder == tmp_path / "copy/tests"
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["tests"]


def test_a_file_runs_with_the_first_entry_that_names_it(tree: Path) -> None:
    paths = ["tests/core/test_b.py::test_one", "tests/core", "tests"]
    assert sessions(suite(paths=paths), tree, PLACE) == [
        {"tests/core/test_b.py": ("tests/core/test_b.py::test_one",)},
        {"tests/core/test_a.py": ("tests/core/test_a.py",)},
        {"tests/test_c.py": ("tests/test_c.py",)},
    ]


def test_a_list_runs_in_one_session(tree: Path) -> None:
    paths = [["tests/test_c.py", "tests/core/test_a.py"], "tests"]
    assert [list(session) for session in sessions(suite(paths=paths), tree, PLACE)] == [
        ["tests/test_c.py", "tests/core/test_a.py"],
        ["tests/core/test_b.py"],
    ]


def test_what_is_left_out_of_a_suite(tree: Path) -> None:
    left_out = {"tests/core": "slow", "tests/test_c.py::test_hub[a]": "hub"}
    chosen = suite(left_out=left_out)
    assert sessions(chosen, tree, PLACE) == [{"tests/test_c.py": ("tests/test_c.py",)}]
    assert excepted("tests/test_c.py", left_out) == {"tests/test_c.py::test_hub[a]": "hub"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"paths": ["test"]}, "test: the source has no tests of that name: take it out"),
        ({"left_out": {"tests/d.py::x": "y"}}, "tests/d.py::x: the source has no such file"),
        ({"copied": ["tests", "data"]}, "config.yaml: repos.greeter.tests.copied: the source has"),
        ({"folder": "pkg"}, "repos.greeter.tests.folder: pkg is not in what is copied"),
    ],
)
def test_what_the_source_has_not(
    tree: Path, tmp_path: Path, given: dict[str, object], told: str
) -> None:
    chosen = suite(**given)
    with pytest.raises(UserError) as error:
        sessions(chosen, copied(chosen, tree, tmp_path / "copy", PLACE), PLACE)
    assert told in str(error.value)
