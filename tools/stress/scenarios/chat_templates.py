"""jinja2 under transformers' chat templates: compiling, its cache, and rendering."""

import json
from collections.abc import Mapping
from random import Random

from jinja2 import Environment
from transformers.utils import chat_template_utils

from stress.scenario import Operation, Scenario, same

_TEMPLATE = """\
{%- for message in messages %}{{ '<|' + message['role'] + '|>' }}
{%- if loop.first and NUMBER % 2 %}[NUMBER]{% endif %}{{ message['content'] | trim }}{{ '\\n' }}
{%- endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}{% for i in range(NUMBER) %}
{{- i }}{% endfor %}"""
_TEMPLATES = 40


class Stress(Scenario):
    """Threads render chats with templates that several of them meet first."""

    def set_up(self) -> None:
        config = json.loads((self.setting.model / "tokenizer_config.json").read_bytes())
        file = self.setting.model / "chat_template.jinja"
        own = file.read_text() if file.is_file() else config["chat_template"]
        self.templates = [own] + [
            _TEMPLATE.replace("NUMBER", str(number)) for number in range(_TEMPLATES)
        ]
        self.chats = [
            [{"role": "user", "content": f" question {number} " * (number + 1)}]
            for number in range(6)
        ]
        self.special = {"bos_token": "<s>", "eos_token": "</s>"}
        self.expected = {
            (number, chat): self._rendered(number, chat)
            for number in range(len(self.templates))
            for chat in range(len(self.chats))
        }
        self.environment = Environment()

    def operations(self) -> Mapping[str, Operation]:
        return {"render": self._render, "shared environment": self._shared_environment}

    def between_rounds(self, random: Random) -> None:
        chat_template_utils._compile_jinja_template.cache_clear()
        self.environment = Environment()

    def _rendered(self, template: int, chat: int) -> str:
        compiled = chat_template_utils._compile_jinja_template(self.templates[template])
        return compiled.render(
            messages=self.chats[chat], add_generation_prompt=True, **self.special
        )

    def _render(self, random: Random) -> None:
        template, chat = random.randrange(len(self.templates)), random.randrange(len(self.chats))
        same(self._rendered(template, chat), self.expected[template, chat], "a rendered chat")

    def _shared_environment(self, random: Random) -> None:
        name, number = random.randrange(20), random.randrange(100)
        template = self.environment.from_string(f"{{{{ n }}}}-{name}")
        same(template.render(n=number), f"{number}-{name}", "a rendered string")
