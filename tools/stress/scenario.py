"""What a scenario is: shared objects, and operations that threads do on them and check.

Runs inside the run environment: standard library only.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

Operation = Callable[[Random], None]
"""What a thread does once: it takes its choices from the generator, and raises `Finding` when the
answer is wrong. Any other exception is a finding, too."""
_SHOWN = 200


class Finding(Exception):
    """Something that does not happen in one thread; ``kind`` is one of a record's
    (tools/stress/record.py)."""

    def __init__(self, message: str, kind: str = "wrong answer"):
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Setting:
    """What a scenario gets: a model's folder, and a folder of its own to write into."""

    model: Path
    scratch: Path


class Scenario(ABC):
    """Shared objects and what threads do on them, in rounds that all threads begin together."""

    threads = 8
    round_seconds = 0.5
    """How long a round lasts; it ends with the operation that is under way."""
    setup_seconds = 240
    """A set-up that takes longer hangs."""
    limit_seconds = 60
    """So long without an operation that ends, and the child hangs."""
    memory_growth = 384 << 20
    """Bytes by which memory may grow from the first third of the rounds to the end."""

    def __init__(self, setting: Setting):
        self.setting = setting

    @abstractmethod
    def set_up(self) -> None:
        """Make what the threads share, and the answers of one thread."""

    @abstractmethod
    def operations(self) -> Mapping[str, Operation]:
        """What a thread can do, by name; asked once, after the set-up."""

    def between_rounds(self, random: Random) -> None:  # noqa: B027
        """Called while all threads wait for the next round: the place to empty caches, so that
        threads meet at their first use again."""

    def finish(self) -> None:  # noqa: B027
        """Judge what only shows at the end, as totals that must add up; raises `Finding`."""

    def tear_down(self) -> None:  # noqa: B027
        """End what the set-up started."""


def same(got: Any, expected: Any, what: str) -> None:
    """Raise `Finding` unless an answer is that of one thread; ``what`` names it to a reader."""
    if got != expected:
        raise Finding(f"{what}: {_short(got)} instead of {_short(expected)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
