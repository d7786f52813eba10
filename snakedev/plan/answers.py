"""The plan as rules ask it: on the head, and in the processes of jobs on other machines.

Snakemake reads the Snakefile again in every such process. There is one plan all the same, the
head's: it writes down what its rules have asked, with the answers, and a job's rules, which ask the
same, are answered from there. So a job needs nothing that the plan is made from, makes the keys
that the head made, whatever its machine is, and what is edited meanwhile counts for the next run.
"""

import copyreg
import pickle
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, Self, cast

from snakedev.base.errors import UserError
from snakedev.base.records import write_bytes
from snakedev.config.model import Config
from snakedev.machine import compilers
from snakedev.store.layout import Layout

VARIABLE = "SNAKEDEV_PLAN"
"""The variable by which a job's process finds the head's plan."""
VARIABLES = (VARIABLE, *compilers.VARIABLES.values())
"""What a job's process needs of the head's environment."""
_KEPT_SECONDS = 14 * 24 * 3600


def _view(answers: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(answers)


# read-only views are among the answers, and pickle does not know them
copyreg.pickle(MappingProxyType, lambda view: (_view, (dict(view),)))

Question = tuple[str, str, tuple[Any, ...] | None]
"""A layer of the plan, what of it is asked, and the arguments; None for a value."""


@dataclass
class Handed:
    """What the head hands to the processes of its jobs."""

    config: dict[str, Any]
    """The configuration as Snakemake put it together."""
    checked: Config
    layout: Layout
    answers: dict[Question, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it down for jobs; what runs of long ago have left there goes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.iterdir():
            if old.stat().st_mtime < time.time() - _KEPT_SECONDS:
                old.unlink(missing_ok=True)
        write_bytes(path, pickle.dumps(self))

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> Self:
        """What the head of this job's run wrote down; raises UserError where it is gone."""
        path = variables.get(VARIABLE)
        if path is None:
            raise UserError(
                f"{VARIABLE} is not set in this job's process: have the executor hand on the "
                f"environment of the process that submits jobs"
            )
        try:
            return cast(Self, pickle.loads(Path(path).read_bytes()))
        except OSError as error:
            raise UserError(
                f"{path}: {error.strerror}: the plan of this job's run is gone, or its folder is "
                f"not at the same path on this machine: run the same command again"
            ) from None


class Answers:
    """A layer of the plan as rules ask it: a UserError of it ends the run with its own lines.

    Where ``kept`` is given, its answers are kept there for jobs on other machines.
    """

    def __init__(self, layer: object, name: str = "", kept: dict[Question, Any] | None = None):
        self._layer, self._name, self._kept = layer, name, kept

    def __getattr__(self, name: str) -> Any:
        value = self._told((name, None), lambda: getattr(self._layer, name))
        if not callable(value):
            return value
        return lambda *arguments: self._told((name, arguments), lambda: value(*arguments))

    def _told(self, question: tuple[str, tuple[Any, ...] | None], ask: Callable[[], Any]) -> Any:
        try:
            answer = ask()
        except UserError as error:
            stopped(error)
        if self._kept is not None and not (question[1] is None and callable(answer)):
            self._kept[self._name, *question] = answer
        return answer


class Kept:
    """A layer of the head's plan as a job's rules ask it."""

    def __init__(self, name: str, answers: Mapping[Question, Any]):
        self._name, self._answers = name, answers

    def __getattr__(self, name: str) -> Any:
        value = (self._name, name, None)
        if value in self._answers:
            return self._answers[value]
        return lambda *arguments: self._answers[self._name, name, arguments]


def ask_all(jobs: Iterable[Any]) -> None:
    """Have the rules of jobs on other machines ask all that they will ask there."""
    for job in jobs:
        _ = job.params, job.resources


def stopped(error: UserError) -> NoReturn:
    """End the run with the error's own lines, without Snakemake's traceback around them."""
    print(error, file=sys.stderr)
    sys.exit(1)
