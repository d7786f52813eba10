"""`LLM.generate` from many threads, one at a time, with the engine in the same process."""

from stress.scenarios import llm_process


class Stress(llm_process.Stress):
    """The engine's own threads and its kernels run beside those that ask."""

    processes = False
