"""Hashes of Triton's kernels: functions that call each other, asked for their hashes at once."""

from collections.abc import Mapping
from random import Random

import triton

from stress import triton_driver
from stress.scenario import Finding, Operation, Scenario, same

_PAIRS = range(8)
_PAIR = """
LEVELS{number} = {number}


def even{number}(n):
    return LEVELS{number} if n == 0 else odd{number}(n - 1)


def odd{number}(n):
    return 0 if n == 0 else even{number}(n - 1)
"""


class Stress(Scenario):
    """Threads ask pairs of functions that call each other for their hashes."""

    round_seconds = 0.05
    limit_seconds = 20

    def set_up(self) -> None:
        path = self.setting.scratch / "stress_pairs.py"
        path.write_text("".join(_PAIR.format(number=n) for n in _PAIRS), encoding="utf-8")
        self.module = triton_driver.imported(path)
        self.functions = dict(vars(self.module))
        self.names = [f"{side}{number}" for number in _PAIRS for side in ("even", "odd")]
        self.between_rounds(Random(0))

    def operations(self) -> Mapping[str, Operation]:
        return {"hash": self._hash}

    def between_rounds(self, random: Random) -> None:
        for name in self.names:
            setattr(self.module, name, triton.jit(self.functions[name]))

    def _hash(self, random: Random) -> None:
        kernel = getattr(self.module, random.choice(self.names))
        key = kernel.cache_key
        if key.startswith("recursion:"):
            raise Finding(f"{kernel} has a placeholder for its hash")
        same(kernel.cache_key, key, f"the hash of {kernel}")
