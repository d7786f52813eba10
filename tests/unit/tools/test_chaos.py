"""What the fault suite draws, and what it takes to be wrong afterwards."""

from itertools import islice
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from tools.chaos.__main__ import KINDS, drawn, scenarios
from tools.chaos.subject import Subject, require


def test_a_seed_draws_the_same_and_every_scenario_has_its_turn() -> None:
    others = [(kind, name) for kind in KINDS if kind != "kills" for name in scenarios(kind)]
    first = list(islice(drawn("", 7), 2 * len(others)))
    assert first == list(islice(drawn("", 7), 2 * len(others)))
    assert first != list(islice(drawn("", 8), 2 * len(others)))
    assert {(kind, name) for kind, name, _ in first} >= set(others)
    assert sum(kind == "kills" for kind, _, _ in first) == len(others)


def test_what_is_asked_for_is_drawn() -> None:
    assert list(drawn("kills.job.3", 7)) == [("kills", "job", 3)]
    assert {name for _, name, _ in drawn("poison", 7)} == set(scenarios("poison"))
    with pytest.raises(UserError, match=r"CHAOS=kill: no such scenario: there are kills\.anything"):
        list(drawn("kill", 7))


def test_what_is_left_half_made_is_found(tmp_path: Path) -> None:
    subject = Subject(tmp_path / "project", Path("python"))
    require(subject)
    (subject.results / "wheels/any/greeter/.scratch-host-1-x").mkdir(parents=True)
    with pytest.raises(Exception, match=r"\.scratch-host-1-x is left behind"):
        require(subject)
