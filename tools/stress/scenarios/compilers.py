"""What compiles at its first call: numba's and torch's compilers, called by all threads at once."""

from collections.abc import Callable, Mapping
from random import Random

import numba
import numpy as np
import torch

from stress.scenario import Operation, Scenario, same


def _numba_function(number: int) -> Callable[[np.ndarray], int]:
    def count(values: np.ndarray) -> int:
        total = number
        for index in range(values.shape[0]):
            total += values[index] * (index % 3)
        return total

    return numba.njit(count)


def _torch_function(number: int) -> Callable[[torch.Tensor], torch.Tensor]:
    def compute(values: torch.Tensor) -> torch.Tensor:
        if values.shape[0] > 4:
            return (values * number).relu() + 1
        return values - number

    # dynamo traces and guards; what its backend does with the graph is C++ and takes long
    return torch.compile(compute, backend="eager")


class Stress(Scenario):
    """Threads meet at the first call of a compiled function, and go on calling it."""

    threads = 4
    round_seconds = 1.0

    def set_up(self) -> None:
        torch.set_num_threads(1)
        self.number = 1
        self._fresh()
        for operate in (self._call_numba, self._call_torch):
            operate(Random(0))

    def operations(self) -> Mapping[str, Operation]:
        return {"numba": self._call_numba, "torch.compile": self._call_torch}

    def between_rounds(self, random: Random) -> None:
        self.number = random.randrange(1, 1000)
        self._fresh()

    def _fresh(self) -> None:
        self.by_numba = _numba_function(self.number)
        self.by_torch = _torch_function(self.number)

    def _call_numba(self, random: Random) -> None:
        kind = random.choice((np.int64, np.int32))
        values = np.arange(random.randrange(1, 50), dtype=kind)
        expected = self.number + int((values * (np.arange(len(values)) % 3)).sum())
        same(int(self.by_numba(values)), expected, "numba's sum")

    def _call_torch(self, random: Random) -> None:
        values = torch.arange(-3.0, float(random.randrange(1, 9)))
        longer = (values * self.number).relu() + 1
        expected = longer if len(values) > 4 else values - self.number
        same(self.by_torch(values).tolist(), expected.tolist(), "what torch computes")
