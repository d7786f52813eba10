"""The OpenAI-compatible server's app, asked by clients in many threads, and AsyncLLM under it."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import httpx
import uvicorn
from vllm import SamplingParams
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.common.cli_args import make_arg_parser
from vllm.entrypoints.launchers.api_server.app_state import init_app_state
from vllm.entrypoints.launchers.api_server.entry import build_async_engine_client_from_engine_args
from vllm.entrypoints.launchers.app import build_app
from vllm.utils.argparse_utils import FlexibleArgumentParser

from stress.engines import PROMPTS, engine_arguments
from stress.scenario import Finding, Operation, Scenario, same

_TOKENS = 6
_NAME = "stress"
_ANSWER_SECONDS = 120
_SCHEMA = {
    "type": "object",
    "properties": {"yes": {"type": "boolean"}},
    "required": ["yes"],
    "additionalProperties": False,
}
_T = TypeVar("_T")


@dataclass
class Http:
    """The app in the running event loop, and where it listens."""

    port: int
    server: uvicorn.Server
    serving: "asyncio.Future[None]"

    @classmethod
    async def start(cls, engine: Any, model: Path) -> "Http":
        args = make_arg_parser(FlexibleArgumentParser()).parse_args(
            ["--model", str(model), "--served-model-name", _NAME]
        )
        tasks = await engine.get_supported_tasks()
        app = build_app(args, tasks, engine.model_config)
        await init_app_state(engine, app.state, args, tasks)
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        serving = asyncio.ensure_future(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.05)
        return cls(listener.getsockname()[1], server, serving)

    async def stop(self) -> None:
        self.server.should_exit = True
        await self.serving


class Stress(Scenario):
    """A server in a thread of this process; threads are its clients, each with its connections."""

    threads = 6
    round_seconds = 2.0
    setup_seconds = 420
    limit_seconds = _ANSWER_SECONDS + 20

    def set_up(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="server", daemon=True)
        self.thread.start()
        self.local = threading.local()
        self.lock = threading.Lock()
        self.counted = 0
        self._in_loop(self._start()).result()
        self.expected = [self._completed(prompt) for prompt in PROMPTS]
        self.chats = [self._chatted(prompt) for prompt in PROMPTS]
        self.structured = self._structured()
        self.tokens = [self._tokenized(prompt) for prompt in PROMPTS]

    def operations(self) -> Mapping[str, Operation]:
        return {
            "completion": self._completion,
            "streamed": self._stream,
            "chat": self._chat,
            "structured": lambda random: same(self._structured(), self.structured, "an answer"),
            "tokenize": self._tokenize,
            "models and health": self._models,
            "AsyncLLM": self._async_llm,
        }

    def finish(self) -> None:
        """The server's counters have all completions that were asked for."""
        text = self._client().get("/metrics").raise_for_status().text
        lines = [line for line in text.splitlines() if line.startswith("vllm:request_success_tot")]
        same(sum(float(line.split()[-1]) for line in lines), self.counted, "requests counted")

    def tear_down(self) -> None:
        self._in_loop(self._stop()).result(timeout=60)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def _in_loop(self, coroutine: Coroutine[Any, Any, _T]) -> "Future[_T]":
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    async def _start(self) -> None:
        arguments = AsyncEngineArgs(**engine_arguments(self.setting.model))
        self.client = build_async_engine_client_from_engine_args(arguments)
        self.engine = await self.client.__aenter__()
        self.http = await Http.start(self.engine, self.setting.model)

    async def _stop(self) -> None:
        await self.http.stop()
        await self.client.__aexit__(None, None, None)

    def _port(self) -> int:
        """The server that a thread's connections are to."""
        return self.http.port

    def _client(self) -> httpx.Client:
        """This thread's own connections."""
        if not hasattr(self.local, "client"):
            url = f"http://127.0.0.1:{self._port()}"
            self.local.client = httpx.Client(base_url=url, timeout=_ANSWER_SECONDS, trust_env=False)
        return self.local.client

    def _asked(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self._client().post(path, json={"model": _NAME, **body})
        if answer.status_code != 200:
            raise Finding(f"{path} answered {answer.status_code}: {answer.text}")
        return answer.json()

    def _count(self) -> None:
        with self.lock:
            self.counted += 1

    def _completed(self, prompt: str) -> str:
        asked = {"prompt": prompt, "temperature": 0, "max_tokens": _TOKENS}
        answer = self._asked("/v1/completions", **asked)
        self._count()
        return answer["choices"][0]["text"]

    def _completion(self, random: Random) -> None:
        number = random.randrange(len(PROMPTS))
        same(self._completed(PROMPTS[number]), self.expected[number], "a greedy completion")

    def _stream(self, random: Random) -> None:
        number = random.randrange(len(PROMPTS))
        body = {"model": _NAME, "prompt": PROMPTS[number], "temperature": 0}
        body |= {"max_tokens": _TOKENS, "stream": True}
        text = ""
        with self._client().stream("POST", "/v1/completions", json=body) as answer:
            for line in answer.iter_lines():
                data = line.removeprefix("data: ")
                if data and data != "[DONE]":
                    text += json.loads(data)["choices"][0]["text"]
        self._count()
        same(text, self.expected[number], "a greedy completion, streamed")

    def _chatted(self, prompt: str) -> str:
        asked = {"messages": [{"role": "user", "content": prompt}]}
        asked |= {"temperature": 0, "max_tokens": _TOKENS}
        answer = self._asked("/v1/chat/completions", **asked)
        self._count()
        return answer["choices"][0]["message"]["content"]

    def _chat(self, random: Random) -> None:
        number = random.randrange(len(PROMPTS))
        same(self._chatted(PROMPTS[number]), self.chats[number], "a greedy answer")

    def _structured(self) -> str:
        answer = self._asked(
            "/v1/completions",
            prompt="Is water wet? Answer in JSON: ",
            temperature=0,
            max_tokens=12,
            structured_outputs={"json": _SCHEMA},
        )
        self._count()
        return answer["choices"][0]["text"]

    def _tokenized(self, prompt: str) -> list[int]:
        return self._asked("/tokenize", prompt=prompt)["tokens"]

    def _tokenize(self, random: Random) -> None:
        number = random.randrange(len(PROMPTS))
        same(self._tokenized(PROMPTS[number]), self.tokens[number], "tokens of a prompt")

    def _models(self, random: Random) -> None:
        same(self._client().get("/health").status_code, 200, "the status of /health")
        served = self._client().get("/v1/models").raise_for_status().json()["data"]
        same([one["id"] for one in served], [_NAME], "the models that are served")

    def _async_llm(self, random: Random) -> None:
        """AsyncLLM belongs to its event loop; threads hand it their coroutines."""
        number = random.randrange(len(PROMPTS))
        name = f"stress-{random.getrandbits(64):x}"
        greedy = SamplingParams(temperature=0, max_tokens=_TOKENS)
        answers = self.engine.generate(PROMPTS[number], greedy, name)
        text = self._in_loop(_last(answers)).result(timeout=_ANSWER_SECONDS)
        self._count()
        same(text, self.expected[number], "AsyncLLM's greedy answer")


async def _last(answers: AsyncIterator[Any]) -> str:
    text = ""
    async for output in answers:
        text = output.outputs[0].text
    return text
