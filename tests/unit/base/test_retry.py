"""Trying again: how often, after what, and what is said of it."""

import pytest

from snakedev.base.job import Job
from snakedev.base.retry import retried


class Server:
    """A server that fails in these ways, one after the other, and answers then."""

    def __init__(self, *failures: Exception):
        self.failures, self.asked = list(failures), 0

    def answer(self) -> str:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        return "answer"


def ask(server: Server, running: Job, tries: int = 3) -> str:
    return retried(
        server.answer,
        running,
        tries=tries,
        may_pass=lambda error: isinstance(error, OSError),
        told=lambda error: f"it said {error}",
    )


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds between tries, none of which pass."""
    seconds: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", seconds.append)
    return seconds


def test_what_may_pass_is_told_and_tried_again_with_growing_pauses(
    running: Job, pauses: list[float]
) -> None:
    server = Server(*(OSError(number) for number in range(8)))
    assert ask(server, running, tries=9) == "answer"
    said = running.log_path.read_text().splitlines()
    assert said == [f"it said {number}; trying again" for number in range(8)]
    assert pauses == [0.5, 1, 2, 4, 8, 16, 20, 20]


def test_the_last_failure_is_raised_as_it_was(running: Job) -> None:
    server = Server(OSError("one"), OSError("two"), OSError("three"), OSError("four"))
    with pytest.raises(OSError, match="three"):
        ask(server, running)
    assert server.asked == 3


def test_what_cannot_pass_is_not_tried_again(running: Job) -> None:
    server = Server(ValueError("never"))
    with pytest.raises(ValueError, match="never"):
        ask(server, running)
    assert server.asked == 1
    assert running.log_path.read_text() == ""
