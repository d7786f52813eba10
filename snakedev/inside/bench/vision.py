"""A small vision model with random weights, and pictures for it: `vision.py MODEL FOLDER`.

Runs inside a run environment. Writes into FOLDER a configuration of Qwen2-VL with few and narrow
layers, its processor, and the tokenizer of MODEL, a text model's folder. It has no weights:
`--load-format dummy` makes them up. What an image costs before the model is that of the real one.
"""

import base64
import functools
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

PAGE, THUMBNAIL = (1275, 1650), (256, 256)
"""Widths and heights in pixels: a letter at 150 dots an inch, and an image that costs little."""
_MOST_PIXELS = 3145728
_TOKENS = {
    "vision_start_token_id": "<|vision_start|>",
    "vision_end_token_id": "<|vision_end|>",
    "vision_token_id": "<|vision_pad|>",
    "image_token_id": "<|image_pad|>",
    "video_token_id": "<|video_pad|>",
}
_WIDTH = 64
_TEMPLATE = """\
{%- for message in messages %}<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}
{%- for part in message.content %}
{%- if part.type == 'text' %}{{ part.text }}
{%- else %}<|vision_start|><|image_pad|><|vision_end|>{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def write_vision_model(text_model: Path, folder: Path) -> None:
    """Write the model's folder, with the tokenizer of a text model."""
    from transformers import AutoTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(text_model)
    tokenizer.add_special_tokens({"additional_special_tokens": [*_TOKENS.values()]})
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(_TEMPLATE, encoding="utf-8")
    _write(folder / "preprocessor_config.json", _PROCESSOR)
    _write(
        folder / "config.json",
        _CONFIG
        | {key: tokenizer.convert_tokens_to_ids(token) for key, token in _TOKENS.items()}
        | {
            "vocab_size": len(tokenizer),
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
    )


def picture(size: tuple[int, int], number: int) -> str:
    """A page of numbers as a data URL: a PNG, of about 200 kB where it is a page's size."""
    from PIL import Image, ImageDraw

    width, height = size
    image = Image.new("RGB", size, "white")
    drawing = ImageDraw.Draw(image)
    for line in range(height // 16):
        words = (f"{(number + 1) * (line + 1) * word * 7919 % 100003}" for word in range(1, 40))
        drawing.text((20, 16 * line), " ".join(words)[: width // 7], fill=(line % 128, 0, 0))
    file = io.BytesIO()
    image.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


@functools.cache
def pictures(size: tuple[int, int], count: int) -> list[str]:
    """So many different pictures, which are drawn once."""
    return [picture(size, number) for number in range(count)]


def conversation(url: str) -> Sequence[dict]:
    """A question on an image."""
    parts = [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": "What does the page say?"},
    ]
    return [{"role": "user", "content": parts}]


_PROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessor",
    "processor_class": "Qwen2VLProcessor",
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "size": {"shortest_edge": 3136, "longest_edge": _MOST_PIXELS},
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
_CONFIG = {
    "architectures": ["Qwen2VLForConditionalGeneration"],
    "model_type": "qwen2_vl",
    "dtype": "bfloat16",
    "hidden_size": _WIDTH,
    "intermediate_size": 2 * _WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "hidden_act": "silu",
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "rope_scaling": {"type": "mrope", "mrope_section": [4, 6, 6]},
    "tie_word_embeddings": True,
    "vision_config": {
        "model_type": "qwen2_vl",
        "depth": 2,
        "embed_dim": _WIDTH,
        "hidden_size": _WIDTH,
        "hidden_act": "quick_gelu",
        "mlp_ratio": 2,
        "num_heads": 2,
        "in_channels": 3,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    },
}


def _write(file: Path, value: dict) -> None:
    file.write_text(json.dumps(value, indent=1), encoding="utf-8")


if __name__ == "__main__":
    write_vision_model(Path(sys.argv[1]), Path(sys.argv[2]))
