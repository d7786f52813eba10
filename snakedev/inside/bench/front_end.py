"""What vLLM's front end does for each request, part by part, on texts and an answer made up here.

Runs inside a run environment. Every result is compared with what a single thread gets.
"""

import json
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from snakedev.inside.bench.vision import (
    PAGE,
    THUMBNAIL,
    conversation,
    pictures,
    write_vision_model,
)

_TEXTS = 8
_PICTURES = 4
_WORDS = 400
_TOPICS = (
    "The capital of France is Paris, and its river, the Seine, flows through 13 arrondissements.",
    "def median(values):\n    ordered = sorted(values)\n    return ordered[len(ordered) // 2]\n",
    "Free-threaded Python runs threads in parallel: 3.14t has no global interpreter lock (GIL).",
    "Größe, naïveté, São Paulo, 東京, Ελλάδα and emoji such as 🙂 need several bytes a letter.",
    '{"name": "Ada", "born": 1815, "tags": ["mathematics", "engines"], "active": false}',
)
_SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "scores": {"type": "array", "items": {"type": "number"}},
        "address": {
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"enum": ["Paris", "Rome"]}},
            "required": ["street", "city"],
            "additionalProperties": False,
        },
    },
    "required": ["name", "age", "scores", "address"],
    "additionalProperties": False,
}
_ANSWER = (
    '{"name": "Ada Lovelace", "age": 36, "scores": [1.5, 20, 3.75], '
    '"address": {"street": "12 St James Square", "city": "Rome"}}'
)

Work = Callable[[int], int]
"""Does so many items, checks each result, and returns how many units these were."""


class WrongResult(AssertionError):
    """A thread got something else than a single thread had got before."""


class FrontEnd:
    """The front end of one interpreter: all is made once, and shared by its threads as in vLLM."""

    def __init__(self, model: str, threads: int):
        """Load vLLM's parts for a model's folder, for so many threads at the most."""
        import torch
        from vllm.engine.arg_utils import EngineArgs
        from vllm.renderers.registry import renderer_from_config

        torch.set_num_threads(1)
        self.model = model
        arguments = EngineArgs(
            model=model, kv_cache_memory_bytes=1 << 30, renderer_num_workers=threads
        )
        self.config = arguments.create_engine_config()
        self.renderer = renderer_from_config(self.config)
        self.tokenizer = self.renderer.get_tokenizer()
        self.texts = [_text(number) for number in range(_TEXTS)]
        self.ids = [list(self.tokenizer.encode(text)) for text in self.texts]
        self.answer_ids = list(self.tokenizer.encode(_ANSWER, add_special_tokens=False))
        self.backends: dict[str, Any] = {}
        self.vision: Any = None
        self._loading = threading.Lock()
        self.parts: Mapping[str, Callable[[], Work]] = {
            "tokenise": self._tokenise,
            "detokenise": self._detokenise,
            "chat template": self._chat_template,
            "masks (xgrammar)": lambda: self._masks("xgrammar"),
            "masks (llguidance)": lambda: self._masks("guidance"),
            "images (pages)": lambda: self._images(PAGE),
            "images (thumbnails)": lambda: self._images(THUMBNAIL),
        }

    # Each of these is called in the thread that does the work: what a thread compares with is its
    # own copy, since counting references to what another thread made would be measured too.

    def _tokenise(self) -> Work:
        """Prompts to token ids, by vLLM's renderer."""
        params = self.renderer.default_cmpl_tok_params
        prompts = [{"prompt": text} for text in _copied(self.texts)]
        expected = _copied(self.ids)

        def work(items: int) -> int:
            units = 0
            for number in range(items):
                at = number % len(prompts)
                tokens = self.renderer.tokenize_prompt(prompts[at], params)["prompt_token_ids"]
                _check(tokens, expected[at])
                units += len(tokens)
            return units

        return work

    def _detokenise(self) -> Work:
        """Token ids to text one after the other, by vLLM's incremental detokenizer."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind
        from vllm.v1.engine import EngineCoreRequest
        from vllm.v1.engine.detokenizer import IncrementalDetokenizer

        params = SamplingParams(output_kind=RequestOutputKind.DELTA)
        ids = _copied(self.ids)
        expected = [self.tokenizer.decode(one, skip_special_tokens=True) for one in ids]

        def work(items: int) -> int:
            units = 0
            for number in range(items):
                at = number % len(ids)
                request = EngineCoreRequest(
                    request_id=str(number),
                    prompt_token_ids=ids[0][:1],
                    mm_features=None,
                    sampling_params=params,
                    pooling_params=None,
                    arrival_time=0.0,
                    lora_request=None,
                    cache_salt=None,
                    data_parallel_rank=None,
                )
                one = IncrementalDetokenizer.from_new_request(self.tokenizer, request)
                pieces = []
                for token in ids[at]:
                    one.update([token], False)
                    pieces.append(one.get_next_output_text(False, True))
                pieces.append(one.get_next_output_text(True, True))
                _check("".join(pieces), expected[at])
                units += len(ids[at])
            return units

        return work

    def _chat_template(self) -> Work:
        """Conversations to prompts, by vLLM's renderer."""
        from vllm.renderers import ChatParams

        params = ChatParams(chat_template_kwargs={"add_generation_prompt": True, "tokenize": False})
        texts = _copied(self.texts)
        conversations = [_conversation(texts, number) for number in range(_TEXTS)]

        def work(items: int) -> int:
            for number in range(items):
                messages = conversations[number % _TEXTS]
                _, prompt = self.renderer.render_messages(messages, params)
                text, begin = prompt["prompt"], 0
                for message in messages:
                    # every message stands in the prompt, in its order
                    begin = text.find(message["content"], begin)
                    if begin < 0:
                        raise WrongResult(f"the prompt lacks {message['content'][:40]!r}")
            return items

        return work

    def _images(self, size: tuple[int, int]) -> Work:
        """Questions on pictures, each a PNG in the request, to what the engine gets: as a server
        does, without its cache of them."""
        from vllm.renderers import ChatParams

        renderer = self._vision()
        params = ChatParams(chat_template_kwargs={"add_generation_prompt": True, "tokenize": False})
        with self._loading:
            urls = pictures(size, _PICTURES)
        conversations = [conversation(url) for url in _copied(urls)]
        expected: list[tuple[list[int], bytes]] = []

        def work(items: int) -> int:
            for number in range(items):
                at = number % len(conversations)
                _, (prompt,) = renderer.render_chat([conversations[at]], params)
                (image,) = prompt["mm_kwargs"]["image"]
                # of the pixels a sample, which costs nothing beside making them
                pixels = image.get_data()["pixel_values"][::64].numpy().tobytes()
                found = (prompt["prompt_token_ids"], pixels)
                if at == len(expected):
                    expected.append(found)
                _check(found, expected[at])
            return items

        return work

    def _vision(self) -> Any:
        """A renderer of a vision model, made once for all threads."""
        from vllm.engine.arg_utils import EngineArgs
        from vllm.renderers.registry import renderer_from_config

        with self._loading:
            if self.vision is None:
                with tempfile.TemporaryDirectory(prefix="snakedev-vision-") as folder:
                    write_vision_model(Path(self.model), Path(folder))
                    arguments = EngineArgs(
                        model=folder,
                        load_format="dummy",
                        kv_cache_memory_bytes=1 << 30,
                        renderer_num_workers=1,
                        mm_processor_cache_gb=0,
                        limit_mm_per_prompt={"video": 0},
                    )
                    self.vision = renderer_from_config(arguments.create_engine_config())
                    # loaded from the folder while it is there
                    self.vision.mm_processor.info.get_hf_processor()
        return self.vision

    def _masks(self, name: str) -> Work:
        """The masks that let an answer be JSON of a schema, by vLLM's backends: each thread has its
        own matcher, on the grammar and the tokenizer that all share."""
        from vllm.v1.structured_output.backend_types import StructuredOutputOptions

        backend = self._backend(name)
        grammar = backend.compile_grammar(StructuredOutputOptions.JSON, json.dumps(_SCHEMA))
        mask = backend.allocate_token_bitmask(1)
        row = memoryview(mask[0].numpy()).cast("B")
        ids = _copied(self.answer_ids)
        expected: list[bytes] = []

        def answer() -> None:
            for at, token in enumerate(ids):
                grammar.fill_bitmask(mask, 0)
                if at == len(expected):
                    expected.append(bytes(row))
                elif row != expected[at]:
                    raise WrongResult(f"mask {at} differs from the first one in its place")
                if not _allows(row, token):
                    raise WrongResult(f"mask {at} forbids token {token}, which the grammar allows")
                if not grammar.accept_tokens("", [token]):
                    raise WrongResult(f"token {token} was not accepted")
            grammar.reset()

        def work(items: int) -> int:
            for _ in range(items):
                answer()
            return items * len(ids)

        return work

    def _backend(self, name: str) -> Any:
        """A structured-output backend of vLLM's, made once for all threads."""
        from vllm.v1.structured_output.backend_guidance import GuidanceBackend
        from vllm.v1.structured_output.backend_xgrammar import XgrammarBackend

        with self._loading:
            if name not in self.backends:
                kind = {"xgrammar": XgrammarBackend, "guidance": GuidanceBackend}[name]
                self.backends[name] = kind(
                    self.config,
                    tokenizer=self.tokenizer,
                    vocab_size=self.config.model_config.get_vocab_size(),
                )
        return self.backends[name]


def _text(number: int) -> str:
    """Prose, code, JSON and other scripts, of about so many words."""
    parts, words = [f"Text {number}."], 2
    while words < _WORDS:
        part = _TOPICS[(number + len(parts)) % len(_TOPICS)]
        parts.append(f"{len(parts)}. {part}")
        words += len(part.split()) + 1
    return "\n".join(parts)


def _conversation(texts: Sequence[str], number: int) -> list[dict[str, str]]:
    """A system message and a few turns."""
    turns = [
        {"role": role, "content": texts[(number + turn) % len(texts)].strip()}
        for turn, role in enumerate(("user", "assistant") * 3 + ("user",))
    ]
    return [{"role": "system", "content": "You are a helpful assistant."}, *turns]


def _copied(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _check(result: Any, expected: Any) -> None:
    if result != expected:
        raise WrongResult(f"a thread found {str(result)[:80]!r}, not {str(expected)[:80]!r}")


def _allows(row: memoryview, token: int) -> bool:
    return bool(row[token // 8] >> (token % 8) & 1)
