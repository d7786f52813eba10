"""Recipe numbers: none stays as it is when the code behind it changes."""

import pytest

from snakedev.base.errors import UserError
from snakedev.recipes.lock import Table, check, code_digest, current, recorded

CODE = '''
"""A module."""

def double(value):
    """Twice a value."""
    return 2 * value  # by two
'''


def test_every_number_stands_for_the_code_as_it_is():
    try:
        check(recorded(), current())
    except UserError as error:
        pytest.fail(str(error), pytrace=False)


def test_comments_docstrings_and_layout_do_not_count():
    other = '"""Another."""\ndef double(value):\n  """Two."""\n\n  return (2 * value)\n'
    assert code_digest(CODE) == code_digest(other)
    assert code_digest(CODE) == code_digest("def double(value): return 2 * value")


@pytest.mark.parametrize(
    ("before", "after"),
    [("2 *", "3 *"), ("2 *", "2.0 *"), ("double", "twice"), ("(value)", "(value=None)")],
)
def test_code_counts(before, after):
    assert code_digest(CODE) != code_digest(CODE.replace(before, after))


def changed(name: str, **fields: object) -> Table:
    """The present table with one entry changed."""
    table = current()
    entry = table.root[name].model_copy(update=fields)
    return Table(table.root | {name: entry})


def test_what_to_do_is_said():
    present = current()
    with pytest.raises(UserError) as caught:
        check(present, changed("wheel/vllm", code={"wheels/build": "0" * 16}))
    assert str(caught.value).splitlines() == [
        "wheel/vllm: snakedev/wheels/build.py changed and number "
        f"{present.root['wheel/vllm'].number} did not: raise it in "
        "snakedev/recipes/recipe.py, unless every artifact comes out the same",
        "then run `python -m snakedev.recipes.lock`",
    ]


def test_a_raised_number_needs_the_table_written_again():
    raised = changed("source", number=99, code={})
    with pytest.raises(UserError, match="source: number 99 is not in recipes"):
        check(current(), raised)
    check(raised, raised)


def test_a_number_that_is_gone_is_said():
    fewer = Table({name: e for name, e in current().root.items() if name != "model"})
    with pytest.raises(UserError, match="model: no such number any more"):
        check(current(), fewer)
