"""Fetching models from a hub: a small one on loopback that speaks the same protocol."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import close_session

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.config.repos import HubModel
from snakedev.fetch import hub
from snakedev.inference.model import ModelRecord, make_model
from snakedev.store.layout import Layout
from snakedev.store.specs import ModelSpec
from tests.unit.small_hub import SmallHub

REVISION = "0123456789abcdef0123456789abcdef01234567"
REPO = "someone/tiny"
WEIGHTS = bytes(range(256)) * 40_000
FILES = {
    "config.json": json.dumps(
        {"architectures": ["LlamaForCausalLM"], "dtype": "bfloat16"}
    ).encode(),
    "model.safetensors": WEIGHTS,
    "tokenizer.json": b"{}",
    "pytorch_model.bin": b"the same weights again",
    "tiny.Q4_1.gguf": b"and again",
    "onnx/model.json": b"{}",
    "README.md": b"",
}


@pytest.fixture
def small_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SmallHub]:
    served = SmallHub()
    served.repos[REPO, REVISION] = dict(FILES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setattr(hub, "get_token", lambda: None)
    with served.served():
        monkeypatch.setenv("HF_ENDPOINT", served.endpoint)
        yield served


def make(running: Job, repo: str = REPO, revision: str = REVISION) -> ModelRecord:
    spec = ModelSpec(name="tiny", model=HubModel(repo=repo, revision=revision), recipe_number=1)
    return make_model(spec, Layout(Path("results")), Path("unused"), running)


def folder_of(record: ModelRecord) -> Path:
    return Layout(Path("results")).model("tiny", record.key)


def ranges(hub: SmallHub, name: str) -> list[str | None]:
    return [asked for sent, asked in hub.sent if sent == name]


def test_only_what_vllm_loads_is_fetched(small_hub: SmallHub, running: Job) -> None:
    record = make(running)
    assert [file.name for file in record.files] == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert (record.architecture, record.dtype) == ("LlamaForCausalLM", "bfloat16")
    folder = folder_of(record)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert not (folder / "model.safetensors").is_symlink()
    assert {name for name, _ in small_hub.sent} == {file.name for file in record.files}


@pytest.mark.parametrize("name", ["../../../outside.json", "/tmp/outside.json", "a/../../b.json"])
def test_a_file_whose_name_leads_out_of_the_model_is_refused(
    small_hub: SmallHub, running: Job, tmp_path: Path, name: str
) -> None:
    small_hub.repos[REPO, REVISION][name] = b"{}"
    with pytest.raises(UserError, match=rf"models\.tiny: {REPO} has a file '{name}', which leads"):
        make(running)
    assert small_hub.sent == []


def test_a_made_model_is_found_again(small_hub: SmallHub, running: Job) -> None:
    first = make(running)
    asked = len(small_hub.tokens)
    assert make(running) == first
    assert len(small_hub.tokens) == asked


def test_a_broken_transfer_goes_on_where_it_ended(
    small_hub: SmallHub, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the client writes whole chunks
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1_000_000)
    small_hub.cut_after["model.safetensors"] = 6_500_000
    record = make(running)
    assert ranges(small_hub, "model.safetensors") == [None, "bytes=6000000-"]
    assert (folder_of(record) / "model.safetensors").read_bytes() == WEIGHTS


def test_what_a_killed_run_has_fetched_is_not_fetched_again(
    small_hub: SmallHub, running: Job
) -> None:
    part = Path(f"results/cache/hub/someone--tiny/{REVISION}/model.safetensors.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(WEIGHTS[:5_000_000])
    record = make(running)
    assert ranges(small_hub, "model.safetensors") == ["bytes=5000000-"]
    assert (folder_of(record) / "model.safetensors").read_bytes() == WEIGHTS
    assert not part.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_spoilt_files_are_noticed(small_hub: SmallHub, running: Job, name: str) -> None:
    small_hub.spoilt.add(name)
    record = make(running)
    assert ranges(small_hub, name) == [None, None]
    assert (folder_of(record) / name).read_bytes() == FILES[name]


def test_a_hub_that_is_down_for_a_moment_is_asked_again(
    small_hub: SmallHub, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    small_hub.failures = 1
    assert make(running).size > len(WEIGHTS)


def test_a_hub_that_stays_away_is_named(
    small_hub: SmallHub, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    small_hub.failures = 1000
    with pytest.raises(UserError, match=r"models\.tiny: the hub did not give someone/tiny"):
        make(running)


def test_the_right_token_opens_a_gated_repo(
    small_hub: SmallHub, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_hub.gated.add(REPO)
    monkeypatch.setenv("HF_TOKEN", small_hub.token)
    assert make(running).dtype == "bfloat16"
    assert small_hub.token not in running.log_path.read_text()


def test_the_projects_token_file_is_used(small_hub: SmallHub, running: Job) -> None:
    small_hub.gated.add(REPO)
    hub.PROJECT_TOKEN.parent.mkdir()
    hub.PROJECT_TOKEN.write_text(small_hub.token + "\n")
    assert make(running).dtype == "bfloat16"


@pytest.mark.parametrize(
    ("token", "advice"),
    [("", "no token was found"), ("hf_wrong", "the token that was found does not open it")],
)
def test_a_gated_repo_says_what_opens_it(
    small_hub: SmallHub, running: Job, monkeypatch: pytest.MonkeyPatch, token: str, advice: str
) -> None:
    small_hub.gated.add(REPO)
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(
        UserError, match=rf"models\.tiny: someone/tiny is gated: .*{advice}"
    ) as raised:
        make(running)
    assert "\n" not in str(raised.value)
    assert not token or token not in str(raised.value)
    assert not list(Path("results/models").rglob("*.json"))


def test_an_unknown_repo_is_named(small_hub: SmallHub, running: Job) -> None:
    with pytest.raises(UserError, match=r"models\.tiny\.repo: the hub has no someone/else"):
        make(running, repo="someone/else")


def test_an_unknown_revision_is_named(small_hub: SmallHub, running: Job) -> None:
    with pytest.raises(
        UserError, match=rf"models\.tiny\.revision: {REPO} has no revision {'f' * 40}"
    ):
        make(running, revision="f" * 40)


def test_a_repo_without_safetensors_is_refused(small_hub: SmallHub, running: Job) -> None:
    del small_hub.repos[REPO, REVISION]["model.safetensors"]
    with pytest.raises(UserError, match=r"models\.tiny: it has no model\.safetensors"):
        make(running)


def test_a_missing_part_of_split_weights_is_named(small_hub: SmallHub, running: Job) -> None:
    parts = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    files = small_hub.repos[REPO, REVISION]
    files["model.safetensors.index.json"] = json.dumps({"weight_map": parts}).encode()
    files["model-1.safetensors"] = b"1"
    with pytest.raises(UserError, match=r"it has no model-2\.safetensors"):
        make(running)


def test_a_hub_that_was_switched_off_is_not_asked(
    small_hub: SmallHub, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError) as raised:
        make(running)
    assert str(raised.value) == (
        f"models.tiny: HF_HUB_OFFLINE is set, and {REPO} is still to be fetched: unset it for one "
        "run with a network"
    )
    assert small_hub.tokens == []


@pytest.mark.parametrize(
    ("proxy", "said"),
    [("socks5://127.0.0.1:9", "SOCKS"), ("http://me:hunter2@127.0.0.1:port", "Invalid port")],
)
def test_a_proxy_that_the_client_does_not_know_is_one_line(
    small_hub: SmallHub, running: Job, monkeypatch: pytest.MonkeyPatch, proxy: str, said: str
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", proxy)
    close_session()
    try:
        with pytest.raises(UserError) as raised:
            make(running)
    finally:
        close_session()
    text = str(raised.value)
    assert text.startswith("models.tiny: the hub cannot be asked (") and said in text
    assert "\n" not in text and "hunter2" not in text


def test_code_of_a_model_s_own_is_said_not_to_be_fetched(small_hub: SmallHub, running: Job) -> None:
    files = small_hub.repos[REPO, REVISION]
    config = json.loads(files["config.json"]) | {
        "auto_map": {"AutoConfig": "configuration_tiny.TinyConfig", "AutoModel": "me/x--model.T"}
    }
    files["config.json"] = json.dumps(config).encode()
    tokenizer = {"auto_map": {"AutoTokenizer": ["tokenization_tiny.TinyTokenizer", None]}}
    files["tokenizer_config.json"] = json.dumps(tokenizer).encode()
    files["configuration_tiny.py"] = b"raise SystemExit"
    assert "configuration_tiny.py" not in {file.name for file in make(running).files}
    assert (
        f"models.tiny: {REPO} brings code of its own (configuration_tiny.py, model.py, "
        "tokenization_tiny.py), which is neither fetched nor run"
    ) in running.log_path.read_text()
