"""One engine's bookkeeping without a model: requests in, made-up tokens through, answers out.

A contender of turns.py, in a run environment, that scheduling.py starts: `scheduling_work.py
REQUEST SOCKET`. Each round answers with the processor seconds of its parts, what the garbage
collector took of them, and what came out, as a digest.
Threads are those of vLLM's engine: the core's main thread and the two that read and write its
sockets, the front end's main thread and the one that reads, so that each object is made and used
by the thread that makes and uses it there. They work one after the other.
"""

import gc
import hashlib
import json
import os
import socket
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from snakedev.inside.bench.turns import serve

PARTS = ("add", "encode request", "receive", "schedule", "update", "encode", "decode", "output")
_BLOCKS, _BLOCK_TOKENS = 8192, 16
_TEXT = """Paris is the capital of France. Water boils at 100 °C; snow is frozen water.
    def add(first, second): return first + second  # naïve, in Zürich as in 東京
"""


class Work:
    """A scheduler, an input and an output processor, as an engine has them."""

    def __init__(self, asked):
        from vllm.engine.arg_utils import EngineArgs
        from vllm.utils.gc_utils import freeze_gc_heap
        from vllm.utils.hashing import get_hash_fn_by_name
        from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
        from vllm.v1.core.single_type_kv_cache_manager import register_all_kvcache_specs
        from vllm.v1.engine import EngineCoreOutputs, EngineCoreRequest
        from vllm.v1.engine.input_processor import InputProcessor
        from vllm.v1.engine.output_processor import OutputProcessor
        from vllm.v1.serial_utils import MsgpackDecoder, MsgpackEncoder

        self.asked = asked
        self.config = EngineArgs(
            model=asked["model"],
            max_model_len=2048,
            max_num_seqs=asked["running"],
            max_num_batched_tokens=asked["batched_tokens"],
            block_size=_BLOCK_TOKENS,
            async_scheduling=True,
        ).create_engine_config()
        self.config.cache_config.num_gpu_blocks = _BLOCKS
        register_all_kvcache_specs(self.config)
        self.front = InputProcessor(self.config)
        self.output = OutputProcessor(self.front.tokenizer, log_stats=asked["stream"])
        self.scheduler = self._scheduler()
        hashed = get_hash_fn_by_name(self.config.cache_config.prefix_caching_hash_algo)
        init_none_hash(hashed)
        self.hasher = get_request_block_hasher(
            _BLOCK_TOKENS, hashed, self.config.num_hash_lookahead_tokens
        )
        self.encoders = MsgpackEncoder(), MsgpackEncoder()
        self.decoders = MsgpackDecoder(EngineCoreRequest), MsgpackDecoder(EngineCoreOutputs)
        self.ids = self.front.tokenizer.encode(_TEXT, add_special_tokens=False)
        self.threads = {
            name: ThreadPoolExecutor(1, name)
            for name in ("front", "front reads", "core reads", "core", "core writes")
        }
        freeze_gc_heap()

    def _scheduler(self):
        import torch
        from vllm.v1.core.sched.async_scheduler import AsyncScheduler
        from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
        from vllm.v1.structured_output import StructuredOutputManager

        layer = FullAttentionSpec(
            block_size=_BLOCK_TOKENS, num_kv_heads=1, head_size=1, dtype=torch.bfloat16
        )
        return AsyncScheduler(
            self.config,
            KVCacheConfig(
                num_blocks=_BLOCKS,
                kv_cache_tensors=[],
                kv_cache_groups=[KVCacheGroupSpec(["layer"], layer)],
            ),
            StructuredOutputManager(self.config),
            block_size=_BLOCK_TOKENS,
            log_stats=self.asked["stream"],
        )

    def round(self):
        """Have all prompts answered; returns nanoseconds of each part, and the answers."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind
        from vllm.v1.metrics.stats import IterationStats

        spent = dict.fromkeys(PARTS, 0)

        def do(thread, part, work, *arguments):
            return self.threads[thread].submit(_timed, spent, part, work, *arguments).result()

        kinds = RequestOutputKind
        params = SamplingParams(
            temperature=0,
            max_tokens=self.asked["tokens"],
            ignore_eos=True,
            output_kind=kinds.DELTA if self.asked["stream"] else kinds.FINAL_ONLY,
        )
        rendered = self._prompts()
        asked = do("front", "add", self._add, rendered, params)
        frames = do("front", "encode request", self._encode_requests, asked)
        self.known = {}
        requests = do("core reads", "receive", self._receive, frames)
        do("core", "schedule", self._enqueue, requests)
        del requests, asked, frames
        flying, answers = deque(), []
        while self.scheduler.has_requests() or flying:
            scheduled = do("core", "schedule", self.scheduler.schedule)
            if scheduled.total_num_scheduled_tokens:
                made = self.threads["core"].submit(self._model, scheduled).result()
                flying.appendleft((scheduled, made))
                if len(flying) < 2:
                    continue
            elif not flying:
                break
            update = self.scheduler.update_from_output
            outputs = do("core", "update", update, *flying.pop())
            del scheduled
            if not (sent := outputs.get(0)):
                continue
            del outputs
            frames = do("core writes", "encode", self.encoders[1].encode, sent)
            del sent
            received = do("front reads", "decode", self.decoders[1].decode, frames)
            statistics = IterationStats() if self.asked["stream"] else None
            done = do(
                "front",
                "output",
                self.output.process_outputs,
                received.outputs,
                received.timestamp,
                statistics,
            )
            del received
            answers += [
                (answer.request_id, answer.outputs[0].text, len(answer.outputs[0].token_ids))
                for answer in done.request_outputs
            ]
            del done
        return spent, answers

    def _prompts(self):
        """Prompts as a front end has them once they are tokenised."""
        renderer = self.front.renderer
        texts = [f"{number}. {self.asked['prompt']}" for number in range(self.asked["prompts"])]
        return renderer.render_cmpl(
            [{"prompt": text} for text in texts], renderer.default_cmpl_tok_params
        )

    def _add(self, rendered, params):
        asked = []
        for number, prompt in enumerate(rendered):
            request = self.front.process_inputs(
                str(number), prompt, params, supported_tasks=("generate",)
            )
            self.front.assign_request_id(request)
            self.output.add_request(request, prompt.get("prompt"), None, 0)
            asked.append(request)
        return asked

    def _encode_requests(self, asked):
        return [[bytes(part) for part in self.encoders[0].encode(request)] for request in asked]

    def _receive(self, frames):
        from vllm.v1.request import Request

        found = [self.decoders[0].decode(frame) for frame in frames]
        return [Request.from_engine_core_request(request, self.hasher) for request in found]

    def _enqueue(self, requests):
        for number, request in enumerate(requests):
            self.known[request.request_id] = [number, request.num_prompt_tokens, 0]
            self.scheduler.add_request(request)

    def _model(self, scheduled):
        """What a model would have answered to a step: one token for each whole prompt."""
        from vllm.v1.outputs import ModelRunnerOutput

        ids, sampled = self.ids, []
        for name, count in scheduled.num_scheduled_tokens.items():
            known = self.known[name]
            known[2] += count
            past = known[2] - known[1]
            sampled.append([ids[(7 * known[0] + past) % len(ids)]] if past >= 0 else [])
        names = list(scheduled.num_scheduled_tokens)
        return ModelRunnerOutput(
            req_ids=names,
            req_id_to_index={name: index for index, name in enumerate(names)},
            sampled_token_ids=sampled,
        )


def _timed(spent, part, work, *arguments):
    started = time.thread_time_ns()
    done = work(*arguments)
    spent[part] += time.thread_time_ns() - started
    return done


class Collections:
    """Counts the runs of the garbage collector, and the seconds that they take."""

    def __init__(self):
        self.runs, self.seconds, self._started = 0, 0.0, 0.0
        gc.callbacks.append(self)

    def __call__(self, phase, info):
        if phase == "start":
            self._started = time.perf_counter()
        else:
            self.runs += 1
            self.seconds += time.perf_counter() - self._started


def main(request, connection):
    """Do a round that is not counted, and then one for each line that is asked."""
    # what vLLM chooses for a GPU, where this runs without one
    os.environ["VLLM_USE_V2_MODEL_RUNNER"] = "1"
    work = Work(json.loads(request.read_bytes()))
    work.round()
    collections = Collections()

    def once(_):
        spent, answers = work.round()
        return {
            "seconds": {part: taken / 1e9 for part, taken in spent.items()},
            "answers": hashlib.sha256(json.dumps(sorted(answers)).encode()).hexdigest()[:16],
            "collections": [collections.runs, round(collections.seconds, 3)],
        }

    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    serve(connection, {"python": sys.version.split()[0], "gil": gil}, once)


if __name__ == "__main__":
    main(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])))
