"""`LLM.generate` from many threads at once, which vLLM does not promise: what comes of it."""

from contextlib import nullcontext

from stress.scenarios import llm_process


class Stress(llm_process.Stress):
    """As with the lock, without it."""

    processes = False
    limit_seconds = 30

    def set_up(self) -> None:
        super().set_up()
        self.lock = nullcontext()
