"""Settings of a call, as truncation and padding, on one tokenizer that threads share.

They are state of the tokenizer in Rust, which transformers sets before each call that needs another
one. vLLM's renderer therefore gives each call a copy of its own; the tokenizer that `get_tokenizer`
gives does not.
"""

from collections.abc import Mapping
from random import Random

from vllm.tokenizers import get_tokenizer

from stress.scenario import Operation, Scenario, same
from stress.scenarios.tokenizer import TEXTS

_LENGTH = 7


class Stress(Scenario):
    """Threads encode with one tokenizer, some of them with truncation or padding."""

    def set_up(self) -> None:
        self.tokenizer = get_tokenizer(str(self.setting.model))
        self.tokens = [self.tokenizer.encode(text) for text in TEXTS]
        self.truncated = [self._truncated(text) for text in TEXTS]
        self.padded = self._padded()

    def operations(self) -> Mapping[str, Operation]:
        return {"encode": self._encode, "truncate": self._truncate, "pad": self._pad}

    def _encode(self, random: Random) -> None:
        number = random.randrange(len(TEXTS))
        same(self.tokenizer.encode(TEXTS[number]), self.tokens[number], "tokens of a text")

    def _truncate(self, random: Random) -> None:
        number = random.randrange(len(TEXTS))
        same(self._truncated(TEXTS[number]), self.truncated[number], "tokens of a cut text")

    def _truncated(self, text: str) -> list[int]:
        return self.tokenizer(text, truncation=True, max_length=_LENGTH)["input_ids"]

    def _pad(self, random: Random) -> None:
        same(self._padded(), self.padded, "tokens of a padded batch")

    def _padded(self) -> list[list[int]]:
        return self.tokenizer(list(TEXTS[:4]), padding=True)["input_ids"]
