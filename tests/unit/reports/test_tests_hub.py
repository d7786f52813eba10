"""What tests find of the model hub without asking it."""

import json
from pathlib import Path

import pytest
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import LocalEntryNotFoundError

from snakedev.reports.tests.hub import hub_cache


def test_the_hub_s_client_finds_configurations_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    home = hub_cache(tmp_path / "home", {"owner/name": {"model_type": "opt"}})["HF_HOME"]

    def find(name: str, file: str) -> str:
        return hf_hub_download(name, file, cache_dir=Path(home) / "hub")

    assert json.loads(Path(find("owner/name", "config.json")).read_text()) == {"model_type": "opt"}
    for missing in (("owner/name", "tokenizer.json"), ("owner/other", "config.json")):
        with pytest.raises(LocalEntryNotFoundError):
            find(*missing)
