"""vLLM's caches of processed pictures: that of a renderer, and the engine's."""

from collections.abc import Mapping
from random import Random
from typing import Any

from PIL import Image
from vllm.engine.arg_utils import EngineArgs
from vllm.multimodal.cache import engine_receiver_cache_from_config
from vllm.multimodal.inputs import MultiModalFeatureSpec
from vllm.renderers.registry import renderer_from_config

from snakedev.inside.bench.vision import write_vision_model
from stress.scenario import Finding, Operation, Scenario, same

_PICTURES = 12
_CACHE_GB = 0.0002
"""Room for three of them."""
_PROMPT = "<|vision_start|><|image_pad|><|vision_end|>" * 2 + "Which one is darker?"


class Stress(Scenario):
    """Threads ask about pictures of which few fit into the cache."""

    def set_up(self) -> None:
        folder = self.setting.scratch / "vision"
        write_vision_model(self.setting.model, folder)
        self.pictures = [
            Image.new("RGB", (84, 112), (20 * number, 255 - 20 * number, 0))
            for number in range(_PICTURES)
        ]
        self.renderer, _ = _front_end(folder, cache_gb=0)
        alone = [self._rendered([number] * 2) for number in range(_PICTURES)]
        self.tokens = alone[0]["prompt_token_ids"]
        self.items = [one["mm_kwargs"]["image"][0] for one in alone]
        self.places = alone[0]["mm_placeholders"]["image"]
        self.pixels = [_pixels(item) for item in self.items]
        self.renderer.shutdown()
        self.renderer, self.receiver = _front_end(folder, cache_gb=_CACHE_GB)
        self._rendered([0, 1])

    def operations(self) -> Mapping[str, Operation]:
        # cleared so rarely that pictures are evicted in between
        return {
            "render": self._render,
            "render and forget": self._forget,
            "receive": self._receive,
            "clear": lambda random: random.random() < 0.1 and self.renderer.clear_mm_cache(),
            "clear received": lambda random: self.receiver.clear_cache(),
        }

    def finish(self) -> None:
        for name, cache in (
            ("sender", self.renderer.mm_processor_cache),
            ("receiver", self.receiver),
        ):
            kept = cache._cache
            sizes = sum(kept.getsizeof(value) for value in kept._Cache__data.values())
            if sizes != kept.currsize or len(kept) != len(kept.order):
                raise Finding(f"{name}: {len(kept)} items of {sizes} bytes count {kept.currsize}")

    def tear_down(self) -> None:
        self.renderer.shutdown()

    def _rendered(self, numbers: list[int]) -> Any:
        pictures = [self.pictures[number] for number in numbers]
        asked = {"prompt": _PROMPT, "multi_modal_data": {"image": pictures}}
        (rendered,) = self.renderer.render_cmpl([asked])
        return rendered

    def _render(self, random: Random) -> Any:
        numbers = random.sample(range(_PICTURES), 2)
        rendered = self._rendered(numbers)
        same(rendered["prompt_token_ids"], self.tokens, "tokens of two pictures")
        for number, item in zip(numbers, rendered["mm_kwargs"]["image"], strict=True):
            # none where the engine has it
            if item is not None:
                same(_pixels(item), self.pixels[number], "pixels of a picture")
        return rendered

    def _forget(self, random: Random) -> None:
        self.renderer.queue_mm_cache_invalidations(self._render(random)["mm_hashes"]["image"])

    def _receive(self, random: Random) -> None:
        numbers = random.sample(range(_PICTURES), 2)
        features = [
            MultiModalFeatureSpec(self.items[number], "image", str(number), place)
            for number, place in zip(numbers, self.places, strict=True)
        ]
        for number, got in zip(
            numbers, self.receiver.get_and_update_features(features), strict=True
        ):
            same(_pixels(got.data), self.pixels[number], "pixels of a picture received")


def _front_end(folder: Any, cache_gb: float) -> tuple[Any, Any]:
    """A renderer, and the cache that its engine would have."""
    arguments = EngineArgs(
        model=str(folder),
        load_format="dummy",
        max_model_len=512,
        kv_cache_memory_bytes=1 << 28,
        mm_processor_cache_gb=cache_gb,
        limit_mm_per_prompt={"video": 0},
    )
    config = arguments.create_engine_config()
    return renderer_from_config(config), engine_receiver_cache_from_config(config)


def _pixels(item: Any) -> bytes:
    return item.get_data()["pixel_values"].numpy().tobytes()
