"""safetensors: threads read tensors of one file, through a handle that they share or open."""

import hashlib
import threading
from collections.abc import Mapping
from random import Random

import torch
from safetensors import safe_open
from safetensors.torch import load, load_file, save, save_file

from stress.scenario import Operation, Scenario, same

_TENSORS = 24


def _digest(tensor: torch.Tensor) -> str:
    data = tensor.contiguous().view(torch.uint8).numpy()
    return hashlib.blake2b(data, digest_size=8).hexdigest()


class Stress(Scenario):
    """Threads load what vLLM's weight loader loads, and save files of their own."""

    memory_growth = 1 << 30  # pages of the mapped file count, too

    def set_up(self) -> None:
        # threads of their own would only take the cores from those that meet here
        torch.set_num_threads(1)
        self.file = next(self.setting.model.glob("*.safetensors"))
        with safe_open(self.file, "pt") as handle:
            sizes = {name: handle.get_slice(name).get_shape() for name in handle.keys()}  # noqa: SIM118
            smallest = sorted(sizes, key=lambda name: torch.Size(sizes[name]).numel())
            self.names = smallest[:_TENSORS]
            self.expected = {name: _digest(handle.get_tensor(name)) for name in self.names}
        self.shared = safe_open(self.file, "pt").__enter__()
        self.local = threading.local()

    def operations(self) -> Mapping[str, Operation]:
        return {
            "shared handle": self._shared,
            "own handle": self._own,
            "slice": self._slice,
            "save and load": self._save_and_load,
            "bytes": self._bytes,
        }

    def tear_down(self) -> None:
        self.shared.__exit__(None, None, None)

    def _shared(self, random: Random) -> None:
        name = random.choice(self.names)
        same(_digest(self.shared.get_tensor(name)), self.expected[name], name)

    def _own(self, random: Random) -> None:
        name = random.choice(self.names)
        with safe_open(self.file, "pt") as handle:
            same(_digest(handle.get_tensor(name)), self.expected[name], name)

    def _slice(self, random: Random) -> None:
        name = random.choice(self.names)
        same(_digest(self.shared.get_slice(name)[:]), self.expected[name], f"{name}[:]")

    def _save_and_load(self, random: Random) -> None:
        path = self.setting.scratch / f"{threading.get_ident()}.safetensors"
        made = {f"t{number}": torch.full((17, number + 1), number) for number in range(5)}
        save_file(made, path, metadata={"format": "pt"})
        self._equal(load_file(path), made)

    def _bytes(self, random: Random) -> None:
        made = {f"t{number}": torch.full((3, number + 1), random.random()) for number in range(3)}
        self._equal(load(save(made)), made)

    def _equal(self, got: dict[str, torch.Tensor], made: dict[str, torch.Tensor]) -> None:
        same(
            {name: _digest(tensor) for name, tensor in got.items()},
            {name: _digest(tensor) for name, tensor in made.items()},
            "tensors that were saved and loaded",
        )
