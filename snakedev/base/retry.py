"""Trying again what may pass: requests to servers that did not answer."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from snakedev.base.job import Job

_Result = TypeVar("_Result")


def retried(
    action: Callable[[], _Result],
    running: Job,
    *,
    tries: int,
    may_pass: Callable[[BaseException], bool],
    told: Callable[[BaseException], str],
) -> _Result:
    """Do something up to ``tries`` times, with pauses that grow from half a second to 20.

    It is done again after a failure that ``may_pass``, and what is ``told`` of that failure is
    said first. Raises the last failure as it was.
    """

    def say(failure: BaseException | None) -> None:
        assert failure is not None
        running.say(f"{told(failure)}; trying again")

    attempts = Retrying(
        stop=stop_after_attempt(tries),
        wait=wait_exponential(multiplier=0.5, max=20),
        retry=retry_if_exception(may_pass),
        before_sleep=lambda state: say(state.outcome.exception() if state.outcome else None),
        reraise=True,
    )
    return attempts(action)
