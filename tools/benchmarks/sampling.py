"""Looking at this process's descendants again and again while something runs."""

import threading
from typing import Self

import psutil

_SAMPLE_SECONDS = 0.5


class Sampler:
    """Calls `look` twice a second while its context is open."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(_SAMPLE_SECONDS):
            self.look(psutil.Process().children(recursive=True))

    def look(self, children: list[psutil.Process]) -> None:
        """Take one sample; a child may end meanwhile, which psutil.Error says."""
        raise NotImplementedError
