"""Offloading the KV cache to files: threads store, load and look up blocks of one buffer."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random

from vllm.fs_io_C import batch_lookup
from vllm.v1.kv_offload.tiering.fs.io import batch_load_block, batch_store_block

from stress.scenario import Operation, Scenario, same

_BLOCKS, _KEPT, _BYTES, _AT_ONCE = 64, 32, 4096, 8


class Stress(Scenario):
    """What the workers of the file system tier do with the one view of the primary tier."""

    def set_up(self) -> None:
        self.cache = memoryview(bytearray().join(map(_content, range(_BLOCKS))))
        self._store_blocks(range(_KEPT))

    def operations(self) -> Mapping[str, Operation]:
        return {"store": self._store, "load": self._load, "look up": self._look_up}

    def between_rounds(self, random: Random) -> None:
        """Remove some files: a block is stored only where it is not there."""
        for number in range(_KEPT, _BLOCKS):
            self._file(number).unlink(missing_ok=True)

    def _store(self, random: Random) -> None:
        numbers = random.sample(range(_BLOCKS), _AT_ONCE)
        self._store_blocks(numbers)
        same(
            [self._file(n).read_bytes() == _content(n) for n in numbers], [True] * _AT_ONCE, "files"
        )

    def _load(self, random: Random) -> None:
        numbers = random.sample(range(_KEPT), _AT_ONCE)
        batch_load_block(self._paths(numbers), self.cache, _offsets(numbers), _BYTES, False)

    def _look_up(self, random: Random) -> None:
        numbers = [random.randrange(_KEPT), _BLOCKS]
        same(batch_lookup(self._paths(numbers)), [True, False], "what there is")

    def finish(self) -> None:
        """The buffer is what it was: each block was loaded where it came from."""
        same(bytes(self.cache), b"".join(map(_content, range(_BLOCKS))), "the buffer")

    def _store_blocks(self, numbers: Iterable[int]) -> None:
        where = (self.cache, _offsets(numbers), _BYTES, False)
        batch_store_block(self._paths(numbers), *where)

    def _file(self, number: int) -> Path:
        return self.setting.scratch / f"{number % 7}" / f"{number}"

    def _paths(self, numbers: Iterable[int]) -> list[str]:
        return [str(self._file(number)) for number in numbers]


def _content(number: int) -> bytes:
    return bytes([number]) * _BYTES


def _offsets(numbers: Iterable[int]) -> list[int]:
    return [number * _BYTES for number in numbers]
