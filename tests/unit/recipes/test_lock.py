"""Recipe numbers: none stays as it is when the code behind it changes."""

import shutil
import subprocess
import sys

import pytest

from snakedev.base.errors import UserError
from snakedev.recipes.lock import Table, check, current, recorded
from tests.project import PROJECT


@pytest.fixture(scope="module")
def present() -> Table:
    """The table as the code is."""
    return current()


def test_every_number_stands_for_the_code_as_it_is(present):
    try:
        check(recorded(), present)
    except UserError as error:
        pytest.fail(str(error), pytrace=False)


def changed(table: Table, name: str, **fields: object) -> Table:
    """A table with one entry changed."""
    entry = table.root[name].model_copy(update=fields)
    return Table(table.root | {name: entry})


def test_what_to_do_is_said(present):
    with pytest.raises(UserError) as caught:
        check(present, changed(present, "wheel/vllm", code={"snakedev/wheels/build.py": "0" * 16}))
    assert str(caught.value).splitlines() == [
        "wheel/vllm: snakedev/wheels/build.py changed and number "
        f"{present.root['wheel/vllm'].number} did not: raise it in snakedev/recipes, unless every "
        "artifact comes out the same",
        "then run `python -m snakedev.recipes.lock`",
    ]


def test_a_raised_number_needs_the_table_written_again(present):
    raised = changed(present, "source", number=99, code={})
    with pytest.raises(UserError, match="source: number 99 is not in recipes"):
        check(present, raised)
    check(raised, raised)


def test_a_number_that_is_gone_is_said(present):
    fewer = Table({name: e for name, e in present.root.items() if name != "model"})
    with pytest.raises(UserError, match="model: no such number any more"):
        check(present, fewer)


@pytest.mark.parametrize(
    ("file", "text", "other", "numbers"),
    [
        (
            "environments/editable.py",
            '_NAME = "_snakedev_work"',
            '_NAME = "_snakedev_edits"',
            {"environment"},
        ),
        ("inside/work_finder.py", "meta_path.insert(0, ", "meta_path.insert(1, ", {"environment"}),
        ("fetch/mirror.py", "submodules is True", "submodules is not False", {"source", "patches"}),
        ("workbench/snapshot.py", "as it stood", "as it was", {"source"}),
        # by its path, and in a folder of programs
        ("inside/plugin/snakedev_probe.py", "gil_enabled", "gil_is_enabled", {"smoke"}),
        # smoke runs and wheels only read the record that lies beside it
        ("environments/environment.py", "--allow-existing", "--clear", {"environment"}),
    ],
)
def test_a_change_is_one_of_all_numbers_that_it_has_a_part_in(
    present, tmp_path, file, text, other, numbers
):
    for folder in ("snakedev", "scripts"):
        shutil.copytree(PROJECT / folder, tmp_path / folder)
    changed = tmp_path / "snakedev" / file
    before = changed.read_text(encoding="utf-8")
    assert text in before
    changed.write_text(before.replace(text, other), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "snakedev.recipes.lock"], cwd=tmp_path, check=True)
    written = (tmp_path / "snakedev/recipes/recipes.lock.json").read_bytes()
    after = Table.model_validate_json(written)
    assert {n for n, entry in present.root.items() if after.root[n] != entry} == numbers
