"""vLLM's oneDNN kernels for CPUs, called from several threads with layers of their own."""

import threading
from collections.abc import Mapping
from random import Random

import torch
from vllm import _custom_ops as kernels
from vllm.platforms import current_platform

from stress.scenario import Finding, Operation, Scenario

_COLUMNS = 96


class Stress(Scenario):
    """Threads multiply, each with the layers that it has made."""

    threads = 4

    def set_up(self) -> None:
        torch.set_num_threads(1)
        current_platform.import_kernels()
        self.local = threading.local()

    def operations(self) -> Mapping[str, Operation]:
        return {"multiply": self._multiply, "new layer": self._new_layer}

    def _multiply(self, random: Random) -> None:
        if not hasattr(self.local, "layer"):
            self._new_layer(random)
        given = torch.randn(random.randrange(1, 60), self.local.weight.shape[0])
        got = kernels.onednn_mm(self.local.layer, given, None)
        expected = given @ self.local.weight
        if not torch.allclose(got, expected, atol=1e-3, rtol=1e-3):
            off = (got - expected).abs().max().item()
            raise Finding(f"a product of {tuple(given.shape)} is off by {off:.3g}")

    def _new_layer(self, random: Random) -> None:
        self.local.weight = torch.randn(64 * random.randrange(1, 8), _COLUMNS)
        self.local.layer = kernels.create_onednn_mm(self.local.weight, 16)
