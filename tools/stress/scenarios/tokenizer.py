"""vLLM's tokenizer, shared as `get_tokenizer` gives it: encoding, decoding, streams, templates."""

from collections.abc import Mapping
from random import Random

from vllm import SamplingParams
from vllm.tokenizers import get_tokenizer
from vllm.v1.engine import EngineCoreRequest
from vllm.v1.engine.detokenizer import IncrementalDetokenizer

from stress.scenario import Operation, Scenario, same

TEXTS = tuple(
    f"{number}: Größe, naïve café, 漢字 🙂 and some plain words, " * (1 + number % 9)
    for number in range(48)
)


class Stress(Scenario):
    """Threads encode and decode with one tokenizer whose settings nobody changes."""

    def set_up(self) -> None:
        self.tokenizer = get_tokenizer(str(self.setting.model))
        self.tokens = [self.tokenizer.encode(text) for text in TEXTS]
        self.decoded = [self.tokenizer.decode(tokens) for tokens in self.tokens]
        self.pieces = [self.tokenizer.convert_ids_to_tokens(tokens) for tokens in self.tokens]
        self.chats = [self._chat(number) for number in range(len(TEXTS))]
        self.streamed = [self._stream(number) for number in range(len(TEXTS))]

    def operations(self) -> Mapping[str, Operation]:
        return {
            "encode": self._encode,
            "encode a batch": self._encode_batch,
            "decode": self._decode,
            "convert": self._convert,
            "chat template": self._chat_template,
            "stream": self._streaming,
        }

    def _any(self, random: Random) -> int:
        return random.randrange(len(TEXTS))

    def _encode(self, random: Random) -> None:
        number = self._any(random)
        same(self.tokenizer.encode(TEXTS[number]), self.tokens[number], "tokens of a text")

    def _encode_batch(self, random: Random) -> None:
        chosen = [self._any(random) for _ in range(5)]
        tokens = self.tokenizer([TEXTS[number] for number in chosen])["input_ids"]
        same(tokens, [self.tokens[number] for number in chosen], "tokens of a batch")

    def _decode(self, random: Random) -> None:
        number = self._any(random)
        same(self.tokenizer.decode(self.tokens[number]), self.decoded[number], "a decoded text")

    def _convert(self, random: Random) -> None:
        number = self._any(random)
        pieces = self.tokenizer.convert_ids_to_tokens(self.tokens[number])
        same(pieces, self.pieces[number], "pieces of a text")
        same(self.tokenizer.convert_tokens_to_ids(pieces), self.tokens[number], "ids of pieces")

    def _chat_template(self, random: Random) -> None:
        number = self._any(random)
        same(self._chat(number), self.chats[number], "a chat")

    def _chat(self, number: int) -> str:
        chat = [{"role": "user", "content": TEXTS[number]}]
        return self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)

    def _streaming(self, random: Random) -> None:
        number = self._any(random)
        same(self._stream(number), self.streamed[number], "a text streamed")

    def _stream(self, number: int) -> str:
        """A text token by token, as the engine's front end does it."""
        tokens = self.tokens[number]
        request = EngineCoreRequest(
            request_id="stress",
            prompt_token_ids=tokens[:3],
            mm_features=None,
            sampling_params=SamplingParams(stop=["café"] if number % 4 == 0 else None),
            pooling_params=None,
            arrival_time=0.0,
            lora_request=None,
            cache_salt=None,
            data_parallel_rank=None,
        )
        detokenizer = IncrementalDetokenizer.from_new_request(self.tokenizer, request)
        text = ""
        for token in tokens[3:]:
            stopped = detokenizer.update([token], False)
            text += detokenizer.get_next_output_text(stopped is not None, delta=True)
            if stopped is not None:
                break
        return text
