"""Where artifacts lie: in results, in a store that others share, or among work folders' results."""

from pathlib import Path

import pytest
import yaml

from snakedev.base.errors import UserError
from snakedev.config.read import check
from snakedev.store.layout import WORK_PREFIX, Layout
from tests.project import PROJECT

KEY = "0123456789abcdef"


def test_a_store_elsewhere_holds_what_others_can_use_and_nothing_of_this_machine():
    layout = Layout(store=Path("/net/store"))
    assert layout.source("vllm", KEY) == Path("/net/store/sources/vllm") / KEY
    assert layout.wheel("cpu", "vllm", KEY) == Path("/net/store/wheels/cpu/vllm") / KEY
    assert layout.environment("run-cpu", KEY) == Path(f"results/envs/run-cpu-{KEY}")
    assert layout.build("cpu", "vllm") == Path("results/build/cpu/vllm")


def test_what_stems_from_a_work_folder_never_lies_in_the_store():
    layout, key = Layout(store=Path("/net/store")), f"{WORK_PREFIX}{KEY}"
    assert layout.wheel("cpu", "vllm", key) == Path("results/work/wheels/cpu/vllm") / key
    assert layout.environment("run-cpu", key) == Path("results/work/envs") / f"run-cpu-{key}"


def test_an_interpreter_with_a_sanitizer_lies_beside_the_ordinary_one():
    values = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    assert Layout.of(check(values)).python == Path("results/interpreter/bin/python3.14t")
    values["interpreter"] |= {"version": "3.15", "sanitizer": "thread"}
    home = Path("results/interpreter-3.15t-thread")
    assert Layout.of(check(values)).python == home / "bin/python3.15t"


def test_a_store_s_path_may_begin_with_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    values = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    assert Layout.of(check(values | {"store": "~/store"})).shared == tmp_path / "store"
    assert Layout.of(check(values | {"store": "../store"})).shared == Path("../store")
    assert Layout.of(check(values)).shared == Path("results")
    with pytest.raises(UserError, match="store: not a folder: name one, or null for results/"):
        check(values | {"store": ""})
