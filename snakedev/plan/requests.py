"""What jobs ask of a cluster: cores, memory, minutes, GPUs.

They are guesses on the safe side, which a profile's `set-threads` and `set-resources` replace: a
job goes by what it was given. On this machine they count only where `--resources` limits them.
"""

from dataclasses import dataclass

from snakedev.plan.buildable import Buildable


@dataclass(frozen=True)
class Request:
    """What one job asks for."""

    threads: int
    mb: int
    """Memory, in MB, besides that of each thread."""
    mb_per_thread: int
    minutes: int
    gpu: int = 0

    def memory(self, threads: int) -> int:
        """Memory in MB, with so many threads."""
        return self.mb + threads * self.mb_per_thread


class Requests:
    """What the jobs of each rule ask for that may run on another machine."""

    def __init__(self, buildable: Buildable):
        self._buildable, self._config = buildable, buildable.config

    def wheel(self, repo: str, variant: str) -> Request:
        """The build of a wheel: a core and the memory of a compilation for each thread."""
        build, heavy = self._config.build, self._buildable.sources.recipe(repo).heavy
        by_nvcc = variant == "cuda"
        gb = build.memory_per_nvcc_job_gb if by_nvcc else build.memory_per_job_gb
        mb = round(gb * 1000)
        if not heavy or self._config.borrower(variant) == repo:
            return Request(4, 1000, mb, minutes=60)
        return Request(16, 2000, mb, minutes=480 if by_nvcc else 240)

    def smoke(self, variant: str) -> Request:
        """A smoke run, which ends itself after half an hour."""
        return Request(8, 16000, 0, minutes=60, gpu=int(variant != "cpu"))

    def gil_trial(self, variant: str) -> Request:
        """A trial of the GIL report: each thread imports vLLM in a process of its own."""
        return Request(4, 2000, 2000, minutes=60, gpu=int(variant != "cpu"))

    def bench_run(self, variant: str) -> Request:
        """A benchmark run."""
        return Request(16, 32000, 0, minutes=240, gpu=int(variant != "cpu"))

    def upstream_tests(self, variant: str) -> Request:
        """Upstream's own tests of one repo: each thread runs some in a process of its own."""
        return Request(4, 2000, 3000, minutes=120, gpu=int(variant != "cpu"))
