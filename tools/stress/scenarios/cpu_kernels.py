"""vLLM's oneDNN kernels for CPUs, called from several threads by own layers and by one layer."""

import threading
from collections.abc import Mapping
from random import Random
from typing import Any

import torch
from vllm import _custom_ops as kernels
from vllm.platforms import current_platform

from stress.scenario import Finding, Operation, Scenario

_COLUMNS = 96


class Stress(Scenario):
    """Threads multiply, each with the layers that it has made, and all with one."""

    threads = 4

    def set_up(self) -> None:
        torch.set_num_threads(1)
        current_platform.import_kernels()
        self.shared = _layer(Random(0))
        self.local = threading.local()

    def operations(self) -> Mapping[str, Operation]:
        return {
            "multiply": self._multiply_by_own,
            "multiply by the shared layer": lambda random: _multiply(random, *self.shared),
            "new layer": self._new_layer,
        }

    def _multiply_by_own(self, random: Random) -> None:
        if not hasattr(self.local, "layer"):
            self._new_layer(random)
        _multiply(random, *self.local.layer)

    def _new_layer(self, random: Random) -> None:
        self.local.layer = _layer(random)


def _layer(random: Random) -> tuple[Any, torch.Tensor]:
    """A layer of vLLM's kernels, and its weight."""
    weight = torch.randn(64 * random.randrange(1, 8), _COLUMNS)
    return kernels.create_onednn_mm(weight, 16), weight


def _multiply(random: Random, layer: Any, weight: torch.Tensor) -> None:
    given = torch.randn(random.randrange(1, 60), weight.shape[0])
    got, expected = kernels.onednn_mm(layer, given, None), given @ weight
    if not torch.allclose(got, expected, atol=1e-3, rtol=1e-3):
        off = (got - expected).abs().max().item()
        raise Finding(f"a product of {tuple(given.shape)} is off by {off:.3g}")
