"""Turn a GGUF model into a folder of safetensors that vLLM loads: weights, config and tokenizer.

Runs inside the run environment: `convert_gguf.py GGUF FOLDER`. Weights are dequantized to
bfloat16; the chat template is kept.
"""

import sys
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint


def convert(gguf: Path, folder: Path) -> None:
    """Write the model; raises ValueError when the file lacks weights or has unknown ones."""
    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    config = AutoConfig.from_pretrained(**source)
    # on `meta` no weights are made that the file's would replace
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    loaded = load_gguf_checkpoint(
        str(gguf), return_tensors=True, model_to_load=model, torch_dtype=torch.bfloat16
    )
    tensors = {name: tensor.to(torch.bfloat16) for name, tensor in loaded["tensors"].items()}
    found = model.load_state_dict(tensors, strict=False, assign=True)
    model.tie_weights()
    missing = [name for name, weight in model.named_parameters() if weight.is_meta]
    if missing or found.unexpected_keys:
        raise ValueError(
            f"{gguf.name}: weights that it lacks: {missing or 'none'}; weights that a "
            f"{config.model_type} model does not have: {found.unexpected_keys or 'none'}"
        )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**source).save_pretrained(folder)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
