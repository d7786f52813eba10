"""vLLM's registries and other module state that is made at its first use."""

import io
import logging
import os
from collections.abc import Mapping
from random import Random

import stress_stacks
import vllm.platforms
import vllm.plugins
from vllm.logger import init_logger
from vllm.model_executor.models import registry as models
from vllm.model_executor.models.registry import ModelRegistry
from vllm.reasoning import ReasoningParserManager
from vllm.tokenizers.registry import cached_get_tokenizer
from vllm.tool_parsers import ToolParserManager
from vllm.transformers_utils.config import get_config
from vllm.utils.import_utils import LazyLoader

from stress.engines import vllm_config
from stress.scenario import Finding, Operation, Scenario, same

_PARSERS = ("hermes", "llama3_json", "pythonic", "internlm", "granite", "deepseek_v3", "jamba")
_REASONERS = ("deepseek_r1", "qwen3", "granite", "mistral")
_ARCHITECTURES = ("LlamaForCausalLM", "Qwen2ForCausalLM", "GPT2LMHeadModel", "OPTForCausalLM")
_SELDOM = 0.1
_LINE = "stress line %s"


class Stress(Scenario):
    """Threads ask for what the first of them makes, in every round anew."""

    def set_up(self) -> None:
        self.model = str(self.setting.model)
        self.config = vllm_config(self.setting.model)
        self.parsers = {name: ToolParserManager.get_tool_parser(name) for name in _PARSERS}
        self.reasoners = {
            name: ReasoningParserManager.get_reasoning_parser(name) for name in _REASONERS
        }
        self.classes = {name: self._resolved(name) for name in _ARCHITECTURES}
        self.text = cached_get_tokenizer(self.model).encode("Water boils at")
        self.logger = init_logger("vllm.stress")
        self.logger.propagate = False
        self.logger.setLevel(logging.INFO)
        # the other one opens a socket, and can do so once
        os.environ["VLLM_PLUGINS"] = stress_stacks.__name__
        self.between_rounds(Random(0))

    def operations(self) -> Mapping[str, Operation]:
        return {
            "tool parser": self._tool_parser,
            "reasoning parser": self._reasoning_parser,
            "model class": self._model_class,
            "cached tokenizer": self._tokenizer,
            "model configuration": self._configuration,
            "platform": self._platform,
            "plugins": self._plugins,
            "lazy module": self._lazy_module,
            "log once": self._log_once,
        }

    def between_rounds(self, random: Random) -> None:
        ToolParserManager.tool_parsers.clear()
        ReasoningParserManager.reasoning_parsers.clear()
        # these two take seconds to make again
        if random.random() < _SELDOM:
            models._try_load_model_cls.cache_clear()
            models._try_inspect_model_cls.cache_clear()
        if random.random() < _SELDOM:
            cached_get_tokenizer.cache_clear()
        vllm.platforms._current_platform = None
        stress_stacks.registered.clear()
        vllm.plugins.plugins_loaded = False
        self.lazy = LazyLoader("stress_lazy_json", {}, "json")
        for handler in self.logger.handlers:
            self.logger.removeHandler(handler)
        self.lines = io.StringIO()
        self.logger.addHandler(logging.StreamHandler(self.lines))

    def _tool_parser(self, random: Random) -> None:
        name = random.choice(_PARSERS)
        same(ToolParserManager.get_tool_parser(name), self.parsers[name], f"tool parser {name}")

    def _reasoning_parser(self, random: Random) -> None:
        name = random.choice(_REASONERS)
        found = ReasoningParserManager.get_reasoning_parser(name)
        same(found, self.reasoners[name], f"reasoning parser {name}")

    def _model_class(self, random: Random) -> None:
        name = random.choice(_ARCHITECTURES)
        same(self._resolved(name), self.classes[name], f"class of {name}")

    def _resolved(self, name: str) -> object:
        return ModelRegistry.resolve_model_cls([name], self.config.model_config)

    def _tokenizer(self, random: Random) -> None:
        tokens = cached_get_tokenizer(self.model).encode("Water boils at")
        same(tokens, self.text, "tokens of the cached tokenizer")

    def _configuration(self, random: Random) -> None:
        same(get_config(self.model, False).model_type, "llama", "the model's type")

    def _platform(self, random: Random) -> None:
        """All threads are on one platform."""
        first, second = vllm.platforms.current_platform, vllm.platforms.current_platform
        if first is not second:
            raise Finding("vllm.platforms.current_platform is one object, and then another")

    def _plugins(self, random: Random) -> None:
        """Once this returns, the plugins have been loaded, whoever loaded them."""
        vllm.plugins.load_general_plugins()
        if not stress_stacks.registered:
            raise Finding("load_general_plugins returned before the plugins were loaded")

    def _lazy_module(self, random: Random) -> None:
        same(self.lazy.dumps({"a": 1}), '{"a": 1}', "a lazily loaded module's answer")

    def _log_once(self, random: Random) -> None:
        self.logger.info(_LINE, random.randrange(5))
        for line in self.lines.getvalue().splitlines()[:-1]:
            if not line.startswith("stress line "):
                raise Finding(f"a line of the log is torn: {line!r}")
