"""Sampling parameters and the requests around them: msgspec's and pydantic's objects, shared."""

import copy
import threading
from collections.abc import Mapping
from random import Random
from typing import Any

import msgspec
from vllm import SamplingParams
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.sampling_params import StructuredOutputsParams
from vllm.v1.engine import EngineCoreRequest
from vllm.v1.serial_utils import MsgpackDecoder, MsgpackEncoder

from stress.scenario import Operation, Scenario, same


def _parameters(number: int) -> SamplingParams:
    return SamplingParams(
        n=1 + number % 3,
        temperature=0.1 * number,
        top_p=0.5 + 0.01 * number,
        stop=[f"stop {number}", "end"],
        stop_token_ids=list(range(number)),
        logit_bias={number: 1.5},
        seed=number,
        max_tokens=10 + number,
        bad_words=["bad"] * (number % 3),
        structured_outputs=StructuredOutputsParams(regex=f"[a-z]{{{1 + number}}}"),
        extra_args={"number": number},
    )


def _request(parameters: SamplingParams) -> EngineCoreRequest:
    return EngineCoreRequest(
        request_id="stress",
        prompt_token_ids=list(range(100)),
        mm_features=None,
        sampling_params=parameters,
        pooling_params=None,
        arrival_time=1.5,
        lora_request=None,
        cache_salt=None,
        data_parallel_rank=None,
    )


class Stress(Scenario):
    """Threads copy, change, encode and validate what they share."""

    def set_up(self) -> None:
        self.shared = [_parameters(number) for number in range(12)]
        self.plain = [msgspec.to_builtins(one) for one in self.shared]
        self.requests = [_request(one) for one in self.shared]
        self.sent = [msgspec.to_builtins(one) for one in self.requests]
        self.bodies = [
            {
                "model": "m",
                "messages": [{"role": "user", "content": f"question {number}"}],
                "temperature": 0.1 * number,
                "stop": [f"stop {number}"],
                "logit_bias": {"3": 0.5},
                "n": 1 + number % 2,
            }
            for number in range(12)
        ]
        self.validated = [self._validated(body) for body in self.bodies]
        self.local = threading.local()

    def operations(self) -> Mapping[str, Operation]:
        return {
            "clone and change": self._clone,
            "deepcopy": self._deepcopy,
            "make": self._make,
            "to the engine": self._to_the_engine,
            "validate": self._validate,
        }

    def finish(self) -> None:
        """Nobody changed what all share."""
        same([msgspec.to_builtins(one) for one in self.shared], self.plain, "shared parameters")

    def _any(self, random: Random) -> int:
        return random.randrange(len(self.shared))

    def _clone(self, random: Random) -> None:
        number = self._any(random)
        clone = self.shared[number].clone()
        same(msgspec.to_builtins(clone), self.plain[number], "a clone")
        clone.max_tokens = random.randrange(1000)
        clone.stop.append("more")
        clone.stop_token_ids.append(random.randrange(1000))
        clone.extra_args["mine"] = threading.get_ident()
        clone.update_from_generation_config({"eos_token_id": [1, 2, random.randrange(9)]}, 1)
        same(clone.extra_args["mine"], threading.get_ident(), "a thread's own argument")

    def _deepcopy(self, random: Random) -> None:
        number = self._any(random)
        made = copy.deepcopy(self.requests[number])
        same(msgspec.to_builtins(made), self.sent[number], "a copied request")

    def _make(self, random: Random) -> None:
        number = self._any(random)
        same(msgspec.to_builtins(_parameters(number)), self.plain[number], "new parameters")

    def _to_the_engine(self, random: Random) -> None:
        """A shared request through this thread's own codec, as to an engine and back."""
        if not hasattr(self.local, "codec"):
            self.local.codec = MsgpackEncoder(), MsgpackDecoder(EngineCoreRequest)
        encoder, decoder = self.local.codec
        number = self._any(random)
        got = decoder.decode(encoder.encode(self.requests[number]))
        same(msgspec.to_builtins(got), self.sent[number], "a request sent and received")

    def _validate(self, random: Random) -> None:
        number = self._any(random)
        same(self._validated(self.bodies[number]), self.validated[number], "a chat request")

    def _validated(self, body: dict[str, Any]) -> Any:
        request = ChatCompletionRequest.model_validate(body)
        parameters = request.to_sampling_params(100, {})
        made = request.model_dump(exclude={"request_id"}), msgspec.to_builtins(parameters)
        return repr(made)
