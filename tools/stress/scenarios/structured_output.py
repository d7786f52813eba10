"""Structured output: grammars compiled and followed in threads, with vLLM's own backends."""

import hashlib
import json
import threading
from collections.abc import Mapping
from random import Random
from typing import Any

import torch
from vllm.sampling_params import SamplingParams, StructuredOutputsParams
from vllm.v1.request import Request
from vllm.v1.structured_output import StructuredOutputManager
from vllm.v1.structured_output.backend_guidance import GuidanceBackend
from vllm.v1.structured_output.backend_outlines import OutlinesBackend
from vllm.v1.structured_output.backend_types import StructuredOutputBackend, StructuredOutputOptions
from vllm.v1.structured_output.backend_xgrammar import XgrammarBackend

from stress.engines import vllm_config
from stress.scenario import Finding, Operation, Scenario, same

_BACKENDS = {"xgrammar": XgrammarBackend, "guidance": GuidanceBackend, "outlines": OutlinesBackend}
_MANAGED = ("xgrammar", "guidance")
_NAMES = ("name", "age", "city", "score", "tags", "kind")
_TIMEOUT_SECONDS = 60
_FRESH = 0.2
_AT_ONCE = 4
"""Requests that a thread has a manager make grammars for before it waits."""


def _schema(number: int) -> tuple[str, str]:
    """A JSON schema, and a text that follows it."""
    names = [f"{_NAMES[(number + i) % len(_NAMES)]}{number}" for i in range(1 + number % 3)]
    kinds = {name: ("integer", "boolean")[index % 2] for index, name in enumerate(names)}
    schema = {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in kinds.items()},
        "required": names,
        "additionalProperties": False,
    }
    made = {name: number if kind == "integer" else True for name, kind in kinds.items()}
    return json.dumps(schema), json.dumps(made)


def _regex(number: int) -> tuple[str, str]:
    return f"(yes|no)-[0-9]{{{1 + number % 4}}}-{number}", f"yes-{'7' * (1 + number % 4)}-{number}"


class Stress(Scenario):
    """Threads compile grammars with compilers that they share, and compare each step's mask."""

    threads = 6

    def set_up(self) -> None:
        torch.set_num_threads(1)
        self.config = vllm_config(self.setting.model)
        # one for each: a manager keeps the backend of its first request
        self.managers = {name: StructuredOutputManager(self.config) for name in _MANAGED}
        self.tokenizer = self.managers[_MANAGED[0]].tokenizer
        self.requests = 0
        self.lock = threading.Lock()
        self.asked = [
            (kind, *make(number))
            for number in range(8)
            for kind, make in (
                (StructuredOutputOptions.JSON, _schema),
                (StructuredOutputOptions.REGEX, _regex),
            )
        ]
        self.tokens = [
            self.tokenizer.encode(text, add_special_tokens=False) for _, _, text in self.asked
        ]
        self._fresh_backends()
        self.expected = {
            (name, number): self._followed(self._compiled(name, number), name, number)
            for name in _BACKENDS
            for number in range(len(self.asked))
        }
        self._fresh_backends()

    def operations(self) -> Mapping[str, Operation]:
        found = {f"{name}: compile and follow": self._operation(name) for name in _BACKENDS}
        found |= {f"{name}: shared compiled grammar": self._shared(name) for name in _BACKENDS}
        return found | {f"{name}: manager": self._managed(name) for name in _MANAGED}

    def between_rounds(self, random: Random) -> None:
        # what a backend reads of the vocabulary takes long; its compiler's cache is new then
        if random.random() < _FRESH:
            self._fresh_backends()

    def _fresh_backends(self) -> None:
        size = self.config.model_config.get_vocab_size()
        self.backends: dict[str, StructuredOutputBackend] = {
            name: kind(self.config, tokenizer=self.tokenizer, vocab_size=size)
            for name, kind in _BACKENDS.items()
        }

    def _compiled(self, name: str, number: int) -> Any:
        kind, specification, _ = self.asked[number]
        return self.backends[name].compile_grammar(kind, specification)

    def _followed(self, grammar: Any, name: str, number: int) -> str:
        """A digest of all masks on the way through the text."""
        mask = self.backends[name].allocate_token_bitmask(1)
        digest = hashlib.blake2b(digest_size=8)
        for token in self.tokens[number]:
            grammar.fill_bitmask(mask, 0)
            digest.update(mask.numpy().tobytes())
            if not grammar.accept_tokens("stress", [token]):
                digest.update(b"refused")
        return digest.hexdigest()

    def _operation(self, name: str) -> Operation:
        def operate(random: Random) -> None:
            number = random.randrange(len(self.asked))
            masks = self._followed(self._compiled(name, number), name, number)
            same(masks, self.expected[name, number], f"masks of {self.asked[number][1]}")

        return operate

    def _shared(self, name: str) -> Operation:
        def operate(random: Random) -> None:
            number = random.randrange(2)
            first, second = self._compiled(name, number), self._compiled(name, number)
            for grammar in (first, second):
                masks = self._followed(grammar, name, number)
                same(masks, self.expected[name, number], f"masks of {self.asked[number][1]}")

        return operate

    def _managed(self, backend: str) -> Operation:
        """As the engine does it: requests' grammars come from the manager's own threads."""

        def operate(random: Random) -> None:
            numbers = [random.randrange(len(self.asked)) for _ in range(_AT_ONCE)]
            requests = [self._request(backend, number) for number in numbers]
            for request in requests:
                self.managers[backend].grammar_init(request)
            for number, request in zip(numbers, requests, strict=True):
                asked = request.structured_output_request
                if asked is None or asked._grammar is None:
                    raise Finding("the manager made no grammar for a request")
                grammar = asked._grammar.result(timeout=_TIMEOUT_SECONDS)
                masks = self._followed(grammar, backend, number)
                same(masks, self.expected[backend, number], f"masks of {self.asked[number][1]}")

        return operate

    def _request(self, backend: str, number: int) -> Request:
        kind, specification, _ = self.asked[number]
        json_text = specification if kind is StructuredOutputOptions.JSON else None
        outputs = StructuredOutputsParams(
            json=json_text, regex=None if json_text else specification
        )
        outputs._backend = backend
        with self.lock:
            self.requests += 1
            name = f"stress-{self.requests}"
        return Request(name, [1, 2, 3], SamplingParams(structured_outputs=outputs), None)
