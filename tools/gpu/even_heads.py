"""The packed model with an even number of heads, for tensor parallelism: `even_heads.py FROM TO`.

Runs in an unpacked Python. SmolLM2-135M has 9 query heads and 3 key-value heads, which two GPUs
cannot share evenly. A fourth group of heads whose weights are all zero changes no answer.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file


def main(source: Path, target: Path) -> None:
    """Write the model in ``source`` to the folder ``target``, with one group of heads more."""
    config = json.loads((source / "config.json").read_bytes())
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    more = {"q_proj": heads // groups * size, "k_proj": size, "v_proj": size}
    weights = load_file(source / "model.safetensors")
    for name, weight in weights.items():
        part = name.split(".")[-2]
        if part in more:
            weights[name] = torch.cat([weight, weight.new_zeros(more[part], weight.shape[1])])
        elif part == "o_proj":
            none = weight.new_zeros(weight.shape[0], more["q_proj"])
            weights[name] = torch.cat([weight, none], dim=1).contiguous()
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.safetensors"))
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    config |= {
        "num_attention_heads": heads + heads // groups,
        "num_key_value_heads": groups + 1,
        "head_dim": size,
    }
    (target / "config.json").write_text(json.dumps(config))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
