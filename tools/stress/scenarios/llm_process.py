"""`LLM.generate` from many threads, one at a time, with the engine in a process of its own.

vLLM does not promise that an `LLM` may be called from several threads at once; from several
threads one after the other it must give the answers that it gives one thread.
"""

import os
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from random import Random
from typing import Any

from stress.engines import PROMPTS, engine_arguments
from stress.scenario import Finding, Operation, Scenario, same

_TOKENS = 6


class Stress(Scenario):
    """Threads generate greedily with one LLM, and use what it lends meanwhile."""

    threads = 4
    setup_seconds = 420
    limit_seconds = 120
    processes = True
    """Whether the engine runs in a process of its own."""

    def set_up(self) -> None:
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = str(int(self.processes))
        from vllm import LLM

        self.lock: AbstractContextManager[Any] = threading.Lock()
        self.llm = LLM(**engine_arguments(self.setting.model))
        self.expected = [self._generated([prompt])[0] for prompt in PROMPTS]
        tokenizer = self.llm.get_tokenizer()
        self.tokens = [tokenizer.encode(prompt) for prompt in PROMPTS]

    def operations(self) -> Mapping[str, Operation]:
        return {
            "generate": self._generate,
            "generate a batch": self._generate_batch,
            "tokenizer": self._tokenizer,
            "metrics": self._metrics,
        }

    def tear_down(self) -> None:
        self.llm.llm_engine.engine_core.shutdown()

    def _generated(self, prompts: list[str]) -> list[str]:
        from vllm import SamplingParams

        greedy = SamplingParams(temperature=0, max_tokens=_TOKENS)
        with self.lock:
            outputs = self.llm.generate(prompts, greedy, use_tqdm=False)
        same([output.prompt for output in outputs], prompts, "the prompts that were answered")
        return [output.outputs[0].text for output in outputs]

    def _generate(self, random: Random) -> None:
        number = random.randrange(len(PROMPTS))
        same(self._generated([PROMPTS[number]]), [self.expected[number]], "a greedy answer")

    def _generate_batch(self, random: Random) -> None:
        chosen = random.sample(range(len(PROMPTS)), 3)
        answers = self._generated([PROMPTS[number] for number in chosen])
        same(answers, [self.expected[number] for number in chosen], "greedy answers of a batch")

    def _tokenizer(self, random: Random) -> None:
        number = random.randrange(len(PROMPTS))
        got = self.llm.get_tokenizer().encode(PROMPTS[number])
        same(got, self.tokens[number], "tokens of the engine's tokenizer")

    def _metrics(self, random: Random) -> None:
        if self.llm.llm_engine.log_stats and not self.llm.get_metrics():
            raise Finding("the engine has no metrics")
