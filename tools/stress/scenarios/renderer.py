"""vLLM's renderer: what turns chats and prompts of requests into tokens, in its pool of threads."""

import asyncio
import threading
from collections.abc import Mapping
from random import Random
from typing import Any

from vllm.renderers import ChatParams
from vllm.renderers.params import TokenizeParams
from vllm.renderers.registry import renderer_from_config

from stress.engines import vllm_config
from stress.scenario import Operation, Scenario, same
from stress.scenarios.tokenizer import TEXTS


class Stress(Scenario):
    """Threads render with one renderer, some in event loops of their own."""

    def set_up(self) -> None:
        config = vllm_config(self.setting.model)
        self.longest = config.model_config.max_model_len
        self.renderer = renderer_from_config(config)
        self.local = threading.local()
        self.prompts = [self._prompt(number) for number in range(len(TEXTS))]
        self.cut = [self._prompt(number, cut=9) for number in range(len(TEXTS))]
        self.chats = [self._chat(number) for number in range(len(TEXTS))]
        tokenizer = self.renderer.get_tokenizer()
        self.decoded = [tokenizer.decode(tokens) for tokens in self.prompts]

    def operations(self) -> Mapping[str, Operation]:
        return {
            "prompt": self._checked(self._prompt, "prompts"),
            "prompt cut": self._checked(lambda number: self._prompt(number, cut=9), "cut"),
            "chat": self._checked(self._chat, "chats"),
            "async prompt": self._checked(self._async_prompt, "prompts"),
            "async chat": self._checked(self._async_chat, "chats"),
            "decode": self._checked(self._decode, "decoded"),
        }

    def tear_down(self) -> None:
        self.renderer.shutdown()

    def _checked(self, render: Any, expected: str) -> Operation:
        def operate(random: Random) -> None:
            number = random.randrange(len(TEXTS))
            same(render(number), getattr(self, expected)[number], f"one of the {expected}")

        return operate

    def _parameters(self, cut: int | None = None) -> TokenizeParams:
        return TokenizeParams(max_total_tokens=self.longest, truncate_prompt_tokens=cut)

    def _prompt(self, number: int, cut: int | None = None) -> list[int]:
        asked = [{"prompt": TEXTS[number]}]
        (rendered,) = self.renderer.render_cmpl(asked, self._parameters(cut))
        return rendered["prompt_token_ids"]

    def _chat(self, number: int) -> list[int]:
        _, (rendered,) = self.renderer.render_chat([self._messages(number)], ChatParams())
        return rendered["prompt_token_ids"]

    def _messages(self, number: int) -> list[dict[str, str]]:
        return [{"role": "user", "content": TEXTS[number]}]

    def _decode(self, number: int) -> str:
        return self.renderer.get_tokenizer().decode(self.prompts[number])

    def _async_prompt(self, number: int) -> list[int]:
        asked = [{"prompt": TEXTS[number]}]
        coroutine = self.renderer.render_cmpl_async(asked, self._parameters())
        (rendered,) = self._loop().run_until_complete(coroutine)
        return rendered["prompt_token_ids"]

    def _async_chat(self, number: int) -> list[int]:
        coroutine = self.renderer.render_chat_async([self._messages(number)], ChatParams())
        _, (rendered,) = self._loop().run_until_complete(coroutine)
        return rendered["prompt_token_ids"]

    def _loop(self) -> asyncio.AbstractEventLoop:
        """This thread's own event loop."""
        if not hasattr(self.local, "loop"):
            self.local.loop = asyncio.new_event_loop()
        return self.local.loop
